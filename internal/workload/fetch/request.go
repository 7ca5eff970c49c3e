package fetch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// addResolve reads curl's --resolve HOST:PORT:ADDRESS.
func (t *transfer) addResolve(value string) error {
	parts := strings.SplitN(value, ":", 3)
	if len(parts) != 3 || parts[0] == "" {
		return fmt.Errorf("%q is not HOST:PORT:ADDRESS", value)
	}
	endpoint, err := netip.ParseAddrPort(net.JoinHostPort(strings.Trim(parts[2], "[]"), parts[1]))
	if err != nil {
		return fmt.Errorf("%q: %w", value, err)
	}
	if t.resolve == nil {
		t.resolve = map[string]string{}
	}
	t.resolve[strings.ToLower(parts[0])+":"+parts[1]] = endpoint.String()
	return nil
}

// parseURL reads a URL. As in curl, the default scheme is http.
func parseURL(raw string) (*url.URL, error) {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, failf(exitURL, "URL malformed: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, failf(exitProtocol, "protocol %q is not supported; use http or https", u.Scheme)
	case u.Hostname() == "":
		return nil, failf(exitURL, "URL malformed: %q has no host", raw)
	}
	return u, nil
}

func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// request returns the first request. Redirects copy it.
func (t *transfer) request(ctx context.Context, u *url.URL) (*http.Request, error) {
	method := t.method
	if t.head {
		method = cmp.Or(method, http.MethodHead)
	}
	var body io.Reader
	if t.body != nil {
		body = bytes.NewReader(t.body)
		method = cmp.Or(method, http.MethodPost)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, failf(exitUsage, "request: %w", err)
	}
	req.Header.Set("User-Agent", "ingresslab-net-test")
	req.Header.Set("Accept", "*/*")
	if t.body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if user, password, _ := strings.Cut(t.user, ":"); t.user != "" {
		req.SetBasicAuth(user, password)
	}
	t.setHeaders(req)
	return req, nil
}

// setHeaders applies the values of -H. The first value of a name replaces the default; later values are added.
func (t *transfer) setHeaders(req *http.Request) {
	seen := map[string]bool{}
	for _, h := range t.headers {
		name := http.CanonicalHeaderKey(h.name)
		if !seen[name] {
			req.Header.Del(name)
		}
		seen[name] = true
		switch {
		case name == "Host":
			if !h.remove { // HTTP/1.1 requires a host
				req.Host = h.value
			}
		case name == "User-Agent": // net/http searches for this spelling before it adds its own
			req.Header.Set(name, h.value)
		case !h.remove:
			req.Header[h.name] = append(req.Header[h.name], h.value) // in the user's spelling
		}
	}
}

// redirect prepares the next request, or stops before it.
func (x *exchange) redirect(req *http.Request, via []*http.Request) error {
	if !x.follow || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return http.ErrUseLastResponse
	}
	if x.out.redirects++; x.out.redirects > x.maxRedirects {
		return failf(exitRedirects, "more than %d redirects", x.maxRedirects)
	}
	_ = x.received(req.Response, x.std.Out) // a failed write fails the last response, too
	first := via[0]
	req.Host = first.Host
	if req.URL.Host != first.URL.Host { // the host and the credentials are for the URL on the command line only
		req.Host = ""
		maps.DeleteFunc(req.Header, func(name string, _ []string) bool {
			return strings.EqualFold(name, "Authorization") || strings.EqualFold(name, "Cookie")
		})
	}
	req.Method = cmp.Or(x.method, req.Method)
	x.req = req
	return nil
}

func (t *transfer) transport() *http.Transport {
	return &http.Transport{
		DialContext:        t.dial,
		ForceAttemptHTTP2:  true,
		DisableCompression: true,                                        // the body is printed as received
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: t.insecure}, // -k requests exactly this
	}
}

func (t *transfer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if resolved := cmp.Or(t.resolve[strings.ToLower(host)+":"+port], t.resolve["*:"+port]); resolved != "" {
		address = resolved
	}
	dialer := net.Dialer{Timeout: t.connectTimeout}
	return dialer.DialContext(ctx, network, address)
}
