package fetch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// transfer describes how to fetch a URL.
type transfer struct {
	method         string // empty means GET, or POST with a body
	headers        []header
	body           []byte // nil if there is none
	user           string // name:password, or empty
	head           bool   // request the headers only
	include        bool   // print the headers before the body
	follow         bool   // follow redirects
	maxRedirects   int
	fail           bool // a status of 400 or more is a failure
	maxTime        time.Duration
	connectTimeout time.Duration // 0 means maxTime
	insecure       bool
	resolve        map[string]string // "host:port" to "address:port"; the host can be *
	output         string            // a file, or empty or "-" for Streams.Out
	verbose        bool
}

// header is the value of one -H. The form "Name:" sets remove.
type header struct {
	name, value string
	remove      bool
}

// outcome is the result of a transfer.
type outcome struct {
	url       string         // of the last request
	response  *http.Response // nil without a response; the body is closed
	redirects int            // that were followed
	remoteIP  string
	size      int64         // of the body, in bytes
	firstByte time.Duration // until the last response began
	total     time.Duration
	err       error
}

// run fetches the URL, follows redirects if requested, and writes the last response.
func (t *transfer) run(ctx context.Context, raw string, std Streams) (out outcome) {
	start := time.Now()
	defer func() { out.total = time.Since(start) }()
	out.url = raw
	u, err := parseURL(raw)
	if err != nil {
		out.err = err
		return out
	}
	x := &exchange{transfer: t, std: std, out: &out}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: x.connected})
	if x.req, err = t.request(ctx, u); err != nil {
		out.err = err
		return out
	}
	client := &http.Client{Transport: t.transport(), CheckRedirect: x.redirect, Timeout: t.maxTime}
	defer client.CloseIdleConnections()
	out.response, err = client.Do(x.req) //nolint:bodyclose // finish closes it; after too many redirects, net/http has closed it
	out.firstByte = time.Since(start)
	if err != nil {
		out.err = explain(err, address(x.req.URL))
		return out
	}
	out.url = out.response.Request.URL.String()
	out.size, out.err = x.finish()
	return out
}

// exchange is a transfer while it runs.
type exchange struct {
	*transfer
	std Streams
	out *outcome
	req *http.Request // the current one
}

// connected records the server's address and prints the request for -v.
func (x *exchange) connected(c httptrace.GotConnInfo) {
	x.out.remoteIP, _, _ = net.SplitHostPort(c.Conn.RemoteAddr().String())
	if !x.verbose {
		return
	}
	x.say("*", "connected from %s to %s", c.Conn.LocalAddr(), c.Conn.RemoteAddr())
	x.say(">", "%s %s HTTP/1.1\n> Host: %s", x.req.Method, x.req.URL.RequestURI(), x.req.Host)
	for _, line := range headerLines(x.req.Header) {
		x.say(">", "%s", line)
	}
	x.say(">", "")
}

// received prints the headers of a response for -v, -i, and -I.
func (x *exchange) received(resp *http.Response, to io.Writer) error {
	lines := headerLines(resp.Header)
	for _, coding := range resp.TransferEncoding { // net/http removes this header from resp.Header
		lines = append(lines, "Transfer-Encoding: "+coding)
	}
	lines = append(append([]string{resp.Proto + " " + resp.Status}, lines...), "")
	if x.verbose {
		for _, line := range lines {
			x.say("<", "%s", line)
		}
	}
	if !x.include && !x.head {
		return nil
	}
	_, err := io.WriteString(to, strings.Join(lines, "\r\n")+"\r\n")
	return err
}

// say prints a line of -v.
func (x *exchange) say(mark, format string, args ...any) {
	_, _ = fmt.Fprintln(x.std.Err, strings.TrimRight(mark+" "+fmt.Sprintf(format, args...), " "))
}

// headerLines lists headers in alphabetical order.
func headerLines(header http.Header) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			lines = append(lines, name+": "+value)
		}
	}
	return lines
}

// finish writes the last response, and returns the size of its body.
func (x *exchange) finish() (size int64, err error) {
	resp := x.out.response
	defer func() { _ = resp.Body.Close() }() // the body is read, or the read has failed
	if x.fail && resp.StatusCode >= 400 {
		return 0, failf(exitHTTP, "the server responded with %s", resp.Status)
	}
	to := x.std.Out
	if x.output != "" && x.output != "-" {
		file, err := os.Create(x.output)
		if err != nil {
			return 0, failf(exitWrite, "output: %w", err)
		}
		defer func() {
			if closeErr := file.Close(); err == nil && closeErr != nil {
				err = failf(exitWrite, "output: %w", closeErr)
			}
		}()
		to = file
	}
	if err := x.received(resp, to); err != nil {
		return 0, failf(exitWrite, "output: %w", err)
	}
	size, err = io.Copy(to, resp.Body)
	var write *fs.PathError // the error of a file or a pipe; a failed read is not one
	switch {
	case errors.As(err, &write):
		return size, failf(exitWrite, "output: %w", err)
	case err != nil:
		return size, explain(err, address(x.req.URL))
	}
	return size, nil
}

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
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]))
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
	resolved := cmp.Or(t.resolve[strings.ToLower(host)+":"+port], t.resolve["*:"+port], address)
	return (&net.Dialer{Timeout: t.connectTimeout}).DialContext(ctx, network, resolved)
}
