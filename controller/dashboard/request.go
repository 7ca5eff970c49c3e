package dashboard

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// Request is the form with a request to explain.
type Request struct {
	// URL needs a scheme, http or https, and a host.
	URL string `json:"url"`
	// Method is empty for GET.
	Method string `json:"method"`
	// Headers are lines such as "X-Canary: always". Cookies are in the header Cookie.
	Headers []string `json:"headers"`
	// Client is the address of the client. If it is empty, it is the address of the browser.
	Client string `json:"client"`
	// Random is the random value that selects between canaries, from 0 to 1 and less than 1. Draw
	// is its former name.
	Random float64 `json:"random"`
	Draw   float64 `json:"draw"`

	random string
}

// requestOf reads the fields of the form: url, method, header (repeated, or with several lines),
// client, and random, whose former name is draw.
func requestOf(r *http.Request) Request {
	q := Request{
		URL: strings.TrimSpace(r.FormValue("url")), Method: strings.ToUpper(strings.TrimSpace(r.FormValue("method"))),
		Client: strings.TrimSpace(r.FormValue("client")), Headers: []string{},
		random: strings.TrimSpace(cmp.Or(r.FormValue("random"), r.FormValue("draw"))),
	}
	for _, field := range r.Form["header"] {
		for line := range strings.Lines(field) {
			if line = strings.TrimSpace(line); line != "" {
				q.Headers = append(q.Headers, line)
			}
		}
	}
	if q.Method == "" {
		q.Method = http.MethodGet
	}
	if q.Client == "" {
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			q.Client = peer.Addr().Unmap().String()
		}
	}
	return q
}

// Lines returns the headers, one per line, for the form.
func (q Request) Lines() string { return strings.Join(q.Headers, "\n") }

// parse returns the request for the table. The error names the invalid field.
func (q *Request) parse() (routing.Request, error) {
	target, err := url.Parse(q.URL)
	if err != nil {
		return routing.Request{}, fmt.Errorf("url: %w", err)
	}
	if target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return routing.Request{}, fmt.Errorf("url: %q is not a URL like http://shop.test/path", q.URL)
	}
	r := routing.Request{
		Method: q.Method, Host: target.Host, Path: target.EscapedPath(), Query: target.RawQuery, TLS: target.Scheme == "https",
		Port: 80, ID: "0123456789abcdef0123456789abcdef",
	}
	if r.Path == "" {
		r.Path = "/"
	}
	if r.TLS {
		r.Port = 443
	}
	if port := target.Port(); port != "" {
		if r.Port, err = strconv.Atoi(port); err != nil || r.Port > 65535 {
			return routing.Request{}, fmt.Errorf("url: %q is not a port", port)
		}
	}
	if !httpguts.ValidHeaderFieldName(q.Method) {
		return routing.Request{}, fmt.Errorf("method: %q is not a method such as GET", q.Method)
	}
	if r.Header, err = headers(q.Headers); err != nil {
		return routing.Request{}, err
	}
	if q.Client != "" {
		if r.Client, err = netip.ParseAddr(q.Client); err != nil {
			return routing.Request{}, fmt.Errorf("client: %q is not an IP address", q.Client)
		}
	}
	q.Random = defaultRandom
	if q.random != "" {
		if q.Random, err = strconv.ParseFloat(q.random, 64); err != nil || !(q.Random >= 0 && q.Random < 1) {
			return routing.Request{}, fmt.Errorf("random: %q is not a number from 0 to 1, without 1", q.random)
		}
	}
	q.Draw, r.Random = q.Random, q.Random
	return r, nil
}

// defaultRandom is in the middle, so that the pool with more than half of the requests is usually
// selected. The value is fixed, so that the same request always gets the same explanation.
const defaultRandom = 0.5

// headers parses lines such as "X-Canary: always".
func headers(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !found || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("header: %q is not like \"Name: value\"", line)
		}
		h.Add(name, value)
	}
	return h, nil
}

// serveExplanation responds with JSON, or with text if the client accepts text/plain.
func (s Source) serveExplanation(w http.ResponseWriter, r *http.Request) {
	explanation, err := s.explain(requestOf(r))
	plain := strings.HasPrefix(r.Header.Get("Accept"), "text/plain")
	switch {
	case err != nil && plain:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case err != nil:
		serveJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
	case plain:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(explanation.Text())) // the client closed the connection
	default:
		serveJSON(w, http.StatusOK, explanation)
	}
}
