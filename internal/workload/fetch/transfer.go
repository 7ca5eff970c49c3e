package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"time"
)

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
	j := &journey{transfer: t, transport: transport, start: start, out: &out, std: std}
	step := hop{method: t.firstMethod(), url: u, body: t.body, origin: u.Host}
	for {
		next, err := j.hop(ctx, step)
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

// hop is one request of a transfer.
type hop struct {
	method string
	url    *url.URL
	body   []byte
	origin string // the host that the user named; credentials are for no other
}

// journey is a transfer on its way: as many hops as there are redirects to follow, and one more.
type journey struct {
	*transfer
	transport http.RoundTripper
	start     time.Time
	out       *outcome
	std       Streams
}

// hop makes one request. It returns the next one if a redirect is to be followed.
func (j *journey) hop(ctx context.Context, step hop) (*hop, error) {
	j.out.asked = step.url.String()
	req, err := j.request(ctx, step)
	if err != nil {
		return nil, err
	}
	trace := j.out.observe(j.start, j.trace, req.Method, req.URL.RequestURI())
	resp, err := j.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		return nil, explain(err, address(step.url))
	}
	defer func() { _ = resp.Body.Close() }() // what was wanted has been read, or has failed
	j.trace.answer(resp)
	j.out.status, j.out.proto, j.out.header = resp.StatusCode, resp.Proto, resp.Header
	if next := j.redirect(resp, step); next != nil {
		if j.include || j.head {
			_, _ = io.WriteString(j.std.Out, formatHead(resp))
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection can be used again
		return next, nil
	}
	if j.fail && resp.StatusCode >= 400 {
		return nil, failf(exitHTTP, "the server answered %s", resp.Status)
	}
	return nil, j.write(resp, address(step.url))
}

// redirect decides whether the answer sends the client somewhere else, and with which method:
// RFC 9110, section 15.4.
func (j *journey) redirect(resp *http.Response, step hop) *hop {
	location := resp.Header.Get("Location")
	if resp.StatusCode/100 != 3 || location == "" {
		return nil
	}
	target, err := step.url.Parse(location)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" {
		return nil
	}
	j.out.location = target.String()
	if !j.follow {
		return nil
	}
	j.out.location = ""
	next := hop{method: step.method, url: target, body: step.body, origin: step.origin}
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		next.body = nil
		if j.method == "" && step.method != http.MethodHead {
			next.method = http.MethodGet
		}
	}
	return &next
}

func (j *journey) write(resp *http.Response, address string) (err error) {
	to := j.std.Out
	if j.output != "" && j.output != "-" {
		file, err := os.Create(j.output)
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
	if j.include || j.head {
		if _, err := io.WriteString(to, formatHead(resp)); err != nil {
			return failf(exitWrite, "output: %w", err)
		}
	}
	body := &sourceError{Reader: resp.Body}
	j.out.size, err = io.Copy(to, body)
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
