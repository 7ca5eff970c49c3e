package scenario

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

func (c *checker) expect(path string, e Expect) {
	c.request(path, e)
	c.from(path, e)
	for name := range e.ResponseHeader {
		if !httpguts.ValidHeaderFieldName(name) {
			c.fault(path+".responseHeader."+name, "%q is not the name of an HTTP header", name)
		}
	}
	if e.Status != 0 && (e.Status < 100 || e.Status > 599) {
		c.fault(path+".status", "%d is not an HTTP status (100 to 599)", e.Status)
	}
	if e.expectsNothing() {
		c.fault(path, "expects nothing of the answer: give status, responseHeader, contains, service, app, pod, samePod, latency, certificate or received")
	}
	if e.SamePod != nil && e.Session == "" {
		c.fault(path+".samePod", "the same as what? Give the session whose last answer is meant")
	}
	if shown := e.Certificate; shown != nil {
		if shown.Secret == "" && len(shown.Names) == 0 {
			c.fault(path+".certificate", "expects nothing of the certificate: give secret or names")
		}
		c.overTLS(path+".certificate", e)
	}
	if e.ClientCertificate != "" {
		c.overTLS(path+".clientCertificate", e)
		if !slices.Contains(c.clients, e.ClientCertificate) {
			c.add(path+".clientCertificate", strictyaml.Nearest(e.ClientCertificate, c.clients), "no step before makes a certificate for client %q", e.ClientCertificate)
		}
	}
}

func (e Expect) expectsNothing() bool {
	return e.Status == 0 && len(e.ResponseHeader) == 0 && len(e.Contains) == 0 && e.Service == "" && e.App == "" && e.Pod == "" &&
		e.SamePod == nil && e.Latency == 0 && e.Certificate == nil && e.Received == nil
}

// overTLS reports what only a TLS handshake can show in a request without one.
func (c *checker) overTLS(path string, e Expect) {
	if u, err := url.Parse(e.URL); err == nil && u.Scheme == "http" && !e.Follow {
		c.fault(path, "there is no certificate without TLS: the URL has to be an https one")
	}
}

func (c *checker) request(path string, e Expect) {
	c.url(path+".url", e.URL)
	if e.Method != "" && (!httpguts.ValidHeaderFieldName(e.Method) || e.Method != strings.ToUpper(e.Method)) {
		c.fault(path+".method", "%q is not an HTTP method", e.Method)
	}
	if e.Method == http.MethodConnect {
		c.fault(path+".method", "CONNECT asks a proxy for a tunnel; there is no answer to expect")
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
		c.fault(path, "user and password belong into an Authorization header, not into the URL")
	case u.Fragment != "":
		c.fault(path, "a fragment (#%s) is never sent to a server", u.Fragment)
	case len(validation.IsDNS1123Subdomain(strings.ToLower(u.Hostname()))) > 0 && !strings.Contains(u.Hostname(), ":"):
		c.fault(path, "%q is not a host name", u.Hostname())
	}
}
