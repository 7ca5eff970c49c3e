package fetch

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// header is one -H. Remove stands for "Name:", which leaves out what would be sent.
type header struct {
	name, value string
	remove      bool
}

// parseURL reads a URL as curl does: without a scheme it means http.
func parseURL(raw string) (*url.URL, error) {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, failf(exitURL, "URL malformed: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, failf(exitProtocol, "protocol %q is not supported; http and https are", u.Scheme)
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

func (t *transfer) firstMethod() string {
	switch {
	case t.method != "":
		return t.method
	case t.head:
		return http.MethodHead
	case t.body != nil:
		return http.MethodPost
	}
	return http.MethodGet
}

// request is what a hop sends.
func (t *transfer) request(ctx context.Context, step hop) (*http.Request, error) {
	var body io.Reader
	if step.body != nil {
		body = bytes.NewReader(step.body)
	}
	req, err := http.NewRequestWithContext(ctx, step.method, step.url.String(), body)
	if err != nil {
		return nil, failf(exitUsage, "request: %w", err)
	}
	req.URL = step.url
	req.Header.Set("User-Agent", "ingresslab-net-test")
	req.Header.Set("Accept", "*/*")
	if step.body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	home := step.url.Host == step.origin
	user := t.user
	if user == "" && step.url.User != nil {
		password, _ := step.url.User.Password()
		user = step.url.User.Username() + ":" + password
	}
	if user != "" && home {
		name, password, _ := strings.Cut(user, ":")
		req.SetBasicAuth(name, password)
	}
	for i, h := range t.headers {
		if err := setHeader(req, h, t.headers[:i], home); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// setHeader applies one -H. The first of a name replaces what would be sent, later ones add to it.
func setHeader(req *http.Request, h header, before []header, home bool) error {
	if strings.EqualFold(h.name, "Host") {
		if home && !h.remove { // HTTP/1.1 knows no request without a host
			req.Host = h.value
		}
		return nil
	}
	if !home && (strings.EqualFold(h.name, "Authorization") || strings.EqualFold(h.name, "Cookie")) {
		return nil
	}
	again := false
	for _, b := range before {
		again = again || strings.EqualFold(b.name, h.name)
	}
	if !again {
		req.Header.Del(h.name)
	}
	if h.remove {
		if strings.EqualFold(h.name, "User-Agent") {
			req.Header["User-Agent"] = []string{""} // the only way to tell net/http to send none
		}
		return nil
	}
	if strings.EqualFold(h.name, "Content-Length") || strings.EqualFold(h.name, "Transfer-Encoding") {
		return failf(exitUsage, "header %s: follows from the body and cannot be set", h.name)
	}
	if strings.EqualFold(h.name, "User-Agent") {
		req.Header.Set(h.name, h.value) // net/http looks for this spelling before it adds its own
		return nil
	}
	req.Header[h.name] = append(req.Header[h.name], h.value) // spelled as the user did
	return nil
}
