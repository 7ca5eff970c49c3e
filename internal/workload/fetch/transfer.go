package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"time"
)

// header is one -H. Remove stands for "Name:", which leaves out what would be sent.
type header struct {
	name, value string
	remove      bool
}

// transfer is one URL to fetch and how.
type transfer struct {
	method       string // empty: GET, or POST if there is a body
	headers      []header
	body         []byte // nil: none
	user         string // name:password, or empty
	head         bool   // ask for the headers only
	include      bool   // print the headers before the body
	follow       bool
	maxRedirects int
	fail         bool // a status of 400 or more is a failure
	maxTime      time.Duration
	output       string // a file, or empty or "-" for Streams.Out
	dial         dialing
	trace        *narrator // nil: quiet
}

// outcome is what -w can ask about.
type outcome struct {
	asked     string // the URL of the last request
	status    int    // 0 without an answer
	proto     string
	header    http.Header
	remote    string // address and port of the server
	local     string
	redirects int
	location  string // where a redirect that was not followed points to
	size      int64
	took      time.Duration
	connected time.Duration
	first     time.Duration // until the first byte of the answer
	err       error
}

// run fetches the URL, follows redirects if it should, and writes the last answer.
func (t *transfer) run(ctx context.Context, raw string, std Streams) (out outcome) {
	start := time.Now()
	defer func() { out.took = time.Since(start) }()
	out.asked = raw
	u, err := parseURL(raw)
	if err != nil {
		out.err = err
		return out
	}
	if t.maxTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.maxTime)
		defer cancel()
	}
	transport := t.dial.transport()
	defer transport.CloseIdleConnections()
	step := hop{method: t.firstMethod(), url: u, body: t.body, origin: u.Host}
	for {
		next, err := t.hop(ctx, transport, step, &out, start, std)
		if err != nil || next == nil {
			out.err = err
			return out
		}
		if out.redirects++; out.redirects > t.maxRedirects {
			out.err = failf(exitRedirects, "more than %d redirects", t.maxRedirects)
			return out
		}
		step = *next
	}
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

// hop is one request of a transfer.
type hop struct {
	method string
	url    *url.URL
	body   []byte
	origin string // the host that the user named; credentials are for no other
}

// hop makes one request. It returns the next one if a redirect is to be followed.
func (t *transfer) hop(ctx context.Context, transport http.RoundTripper, step hop, out *outcome, start time.Time, std Streams) (*hop, error) {
	out.asked = step.url.String()
	req, err := t.request(ctx, step)
	if err != nil {
		return nil, err
	}
	req = req.WithContext(httptrace.WithClientTrace(ctx, out.observe(start, t.trace, req.Method, req.URL.RequestURI())))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, explain(err, address(step.url))
	}
	defer func() { _ = resp.Body.Close() }() // what was wanted has been read, or has failed
	t.trace.answer(resp)
	out.status, out.proto, out.header = resp.StatusCode, resp.Proto, resp.Header
	next := t.redirect(resp, step, out)
	if next != nil {
		if t.include || t.head {
			_, _ = io.WriteString(std.Out, formatHead(resp))
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection can be used again
		return next, nil
	}
	if t.fail && resp.StatusCode >= 400 {
		return nil, failf(exitHTTP, "the server answered %s", resp.Status)
	}
	return nil, t.write(resp, out, address(step.url), std)
}

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

// redirect decides whether the answer sends the client somewhere else, and with which method:
// RFC 9110, section 15.4.
func (t *transfer) redirect(resp *http.Response, step hop, out *outcome) *hop {
	location := resp.Header.Get("Location")
	if resp.StatusCode/100 != 3 || location == "" {
		return nil
	}
	target, err := step.url.Parse(location)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" {
		return nil
	}
	out.location = target.String()
	if !t.follow {
		return nil
	}
	out.location = ""
	next := hop{method: step.method, url: target, body: step.body, origin: step.origin}
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		next.body = nil
		if t.method == "" && step.method != http.MethodHead {
			next.method = http.MethodGet
		}
	}
	return &next
}

func (t *transfer) write(resp *http.Response, out *outcome, address string, std Streams) (err error) {
	to := std.Out
	if t.output != "" && t.output != "-" {
		file, err := os.Create(t.output)
		if err != nil {
			return failf(exitWrite, "output: %w", err)
		}
		defer func() {
			if closeErr := file.Close(); err == nil && closeErr != nil {
				err = failf(exitWrite, "output: %w", closeErr)
			}
		}()
		to = file
	}
	if t.include || t.head {
		if _, err := io.WriteString(to, formatHead(resp)); err != nil {
			return failf(exitWrite, "output: %w", err)
		}
	}
	body := &sourceError{Reader: resp.Body}
	out.size, err = io.Copy(to, body)
	switch {
	case body.err != nil:
		return explainBody(body.err, address)
	case err != nil:
		return failf(exitWrite, "output: %w", err)
	}
	return nil
}

// sourceError tells a failed read from a failed write, which io.Copy does not.
type sourceError struct {
	io.Reader
	err error
}

func (s *sourceError) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
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

// formatHead writes the status line and headers as curl -i shows them.
func formatHead(resp *http.Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\r\n", resp.Proto, resp.Status)
	for _, line := range headerLines(resp) {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}
