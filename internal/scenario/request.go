package scenario

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// validateRequest checks the request, and not what its answer has to be.
func (e Expect) validateRequest(c *checker, path string) {
	c.url(path+".url", e.URL)
	if e.Method != "" && (!httpguts.ValidHeaderFieldName(e.Method) || e.Method != strings.ToUpper(e.Method)) {
		c.fault(path+".method", "%q is not an HTTP method", e.Method)
	}
	if e.Method == http.MethodConnect {
		c.fault(path+".method", "CONNECT is not supported")
	}
	for name, value := range e.Header {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			c.fault(path+".header."+name, "%q: %q is not an HTTP header", name, value)
		}
	}
}

func (c *checker) url(path, raw string) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		c.fault(path, "is missing")
	case err != nil:
		c.fault(path, "%q is not a URL", raw)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		c.fault(path, "%q is not an absolute http or https URL", raw)
	case u.User != nil:
		c.fault(path, "must not contain a user; use an Authorization header")
	case u.Fragment != "":
		c.fault(path, "must not contain a fragment (#%s), which is never sent to a server", u.Fragment)
	case len(validation.IsDNS1123Subdomain(strings.ToLower(u.Hostname()))) > 0 && !strings.Contains(u.Hostname(), ":"):
		c.fault(path, "%q is not a host name", u.Hostname())
	}
}

func (e Expect) describeRequest(names isolation) string {
	var b strings.Builder
	if e.Method == "" {
		b.WriteString("GET ")
	} else {
		b.WriteString(e.Method + " ")
	}
	b.WriteString(names.url(e.URL))
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		fmt.Fprintf(&b, " with %s: %s", name, names.text(e.Header[name]))
	}
	if e.Session != "" {
		b.WriteString(" in session " + e.Session)
	}
	if e.From != "" {
		b.WriteString(" from " + e.From)
	}
	if e.ConnectTo != "" {
		b.WriteString(" to " + strings.Replace(e.ConnectTo, "node:", "every node:", 1))
	}
	if e.ClientCertificate != "" {
		b.WriteString(" by client " + e.ClientCertificate)
	}
	return b.String()
}

// request is what an Expect asks, with the cookies of its session and the certificate of its client.
func (r *runner) request(e Expect) (probe.Request, error) {
	request := probe.Request{Method: e.Method, URL: r.names.url(e.URL), Body: r.names.text(e.Body), Follow: e.Follow, Header: http.Header{}}
	for name, value := range e.Header {
		request.Header.Set(name, r.names.text(value))
	}
	if e.Session != "" {
		s, err := r.session(e.Session)
		if err != nil {
			return probe.Request{}, err
		}
		request.Cookies = s.cookies
	}
	if e.ClientCertificate != "" {
		request.Certificate = r.clients[e.ClientCertificate]
	}
	return request, nil
}

// host is the host that the ingress sees, without a port; empty if there is none.
func (e Expect) host(names isolation) string {
	u, err := url.Parse(names.url(e.URL))
	if err != nil {
		return ""
	}
	host := u.Hostname()
	for name, value := range e.Header {
		if strings.EqualFold(name, "Host") {
			host, _, _ = strings.Cut(names.text(value), ":")
		}
	}
	return host
}

// Host returns the host that the ingress sees, without a port: that of the URL, or of a Host header.
func (e Expect) Host() string { return e.host(isolation{}) }

// session is what a browser would remember from one step to the next.
type session struct {
	cookies http.CookieJar
	// pod answered the session's last step; empty before the first.
	pod string
}

// session returns the session of a name, and begins it the first time.
func (r *runner) session(name string) (*session, error) {
	if s := r.sessions[name]; s != nil {
		return s, nil
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", name, err)
	}
	s := &session{cookies: jar}
	r.sessions[name] = s
	return s, nil
}

// samePod compares the pod that answered with the one that did before. Without one before, every pod is right: there has
// to be a first.
func (s *session) samePod(want bool, o *probe.Observation) []probe.Mismatch {
	if o.Served == nil {
		return []probe.Mismatch{{Field: "answered by", Expected: "a pod", Observed: "no workload"}}
	}
	if s.pod == "" || want == (o.Served.Pod == s.pod) {
		return nil
	}
	expected := "pod " + s.pod + ", as before"
	if !want {
		expected = "another pod than " + s.pod
	}
	return []probe.Mismatch{{Field: "session", Expected: expected, Observed: "pod " + o.Served.Pod}}
}

// remember keeps who answered for the session's next step.
func (s *session) remember(o *probe.Observation) {
	if s != nil && o != nil && o.Served != nil {
		s.pod = o.Served.Pod
	}
}
