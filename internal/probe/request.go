package probe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// DefaultTimeout bounds a Request that sets none.
	DefaultTimeout = 5 * time.Second
	// MaxBody is how many bytes of an answer's body are kept.
	MaxBody = 1 << 20
	// maxRedirects bounds the redirects that a Request with Follow takes, as browsers do at about 20.
	maxRedirects = 10
)

// Request is one HTTP request.
type Request struct {
	// Method is GET if empty.
	Method string
	// URL is absolute, with scheme http or https. Its host goes into the Host header and the TLS server name; the
	// connection goes where the Client's Addresses say.
	URL string
	// Header is sent as it is. A Host in it replaces the URL's in the Host header, but not in the TLS server name.
	Header http.Header
	// Body is sent if it is not empty.
	Body string
	// Follow takes redirects instead of observing them.
	Follow bool
	// Cookies, if not nil, adds its cookies to the request and takes those of the answer.
	Cookies http.CookieJar
	// Certificate, if not nil, is the client's in a TLS handshake.
	Certificate *tls.Certificate
	// Timeout bounds the whole exchange; zero means DefaultTimeout.
	Timeout time.Duration
}

// Addresses is where connections go: host:port pairs. An empty one lets the URL's own host and port decide.
type Addresses struct {
	HTTP  string // for http URLs
	HTTPS string // for https URLs
}

// Client sends Requests to the ingress at its addresses. It is safe for concurrent use.
//
// Every request has a connection of its own: a kept connection would stay with one replica of the controller and would
// hide a port that no longer answers. Certificates are recorded and not verified, as a lab's are signed by nobody.
// Proxy settings of the environment are ignored: a lab is judged directly.
type Client struct {
	transport *http.Transport
	addresses Addresses
}

// NewClient returns a Client for the ingress at the addresses.
func NewClient(addresses Addresses) *Client {
	return &Client{addresses: addresses, transport: newTransport(addresses, nil)}
}

// newTransport returns a transport that shows a certificate of the client's, if there is one.
func newTransport(addresses Addresses, certificate *tls.Certificate) *http.Transport {
	return &http.Transport{
		DialContext:       dialer(addresses.HTTP),
		DialTLSContext:    tlsDialer(addresses.HTTPS, certificate),
		DisableKeepAlives: true,
		// Whether an answer is compressed is part of the answer.
		DisableCompression: true,
		ForceAttemptHTTP2:  true,
	}
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func dialer(override string) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if override != "" {
			address = override
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// tlsDialer sends the host of the URL as server name (SNI, RFC 6066 section 3), wherever it connects to.
func tlsDialer(override string, certificate *tls.Certificate) dialFunc {
	dial := dialer(override)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		raw, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		config := &tls.Config{
			ServerName:         host,
			NextProtos:         []string{"h2", "http/1.1"},
			InsecureSkipVerify: true, //nolint:gosec // the certificate is an observation, not a condition
		}
		if certificate != nil {
			// Not by Certificates: crypto/tls would hold back one whose authority the server does not ask for, and it is for
			// the server to refuse it.
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
		}
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		return conn, nil
	}
}

// Do sends the request and observes the answer. It never fails: that there is no answer is an Observation with Err.
func (c *Client) Do(ctx context.Context, r Request) Observation {
	begin := time.Now()
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	o := Observation{Method: orGet(r.Method), URL: r.URL}
	if err := c.exchange(within, r, &o); err != nil {
		o.Err = explain(ctx, err, c.target(r.URL), timeout)
	}
	o.Duration = time.Since(begin)
	return o
}

func (c *Client) exchange(ctx context.Context, r Request, o *Observation) error {
	req, err := http.NewRequestWithContext(ctx, o.Method, r.URL, strings.NewReader(r.Body))
	if err != nil {
		return err
	}
	for name, values := range r.Header {
		if http.CanonicalHeaderKey(name) == "Host" && len(values) > 0 {
			req.Host = values[0]
			continue
		}
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	transport := c.transport
	if r.Certificate != nil {
		transport = newTransport(c.addresses, r.Certificate)
	}
	client := &http.Client{Transport: transport, CheckRedirect: redirects(r.Follow), Jar: r.Cookies}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // everything wanted has been read or has failed by then
	return o.record(res)
}

func redirects(follow bool) func(*http.Request, []*http.Request) error {
	return func(_ *http.Request, via []*http.Request) error {
		if !follow || len(via) >= maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}
}

// record keeps the head and the beginning of the body; the rest is read to its end, because a body that breaks off is
// a fault of the answer, but not kept.
func (o *Observation) record(res *http.Response) error {
	o.Status, o.Proto, o.Header = res.StatusCode, res.Proto, res.Header
	o.Served = servedBy(res.Header)
	o.Reason = res.Header.Get(HeaderReason)
	o.TLS = observeTLS(res.TLS)
	var kept bytes.Buffer
	_, err := io.CopyN(&kept, res.Body, MaxBody)
	o.Body = kept.Bytes()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		var rest int64
		rest, err = io.Copy(io.Discard, res.Body)
		o.Truncated = rest > 0
	}
	return err
}

func (c *Client) target(address string) string {
	there := c.addresses.HTTP
	if strings.HasPrefix(strings.ToLower(address), "https:") {
		there = c.addresses.HTTPS
	}
	if u, err := url.Parse(address); there == "" && err == nil && u.Host != "" {
		return u.Host
	}
	return cmp.Or(there, address)
}

func orGet(method string) string {
	if method == "" {
		return http.MethodGet
	}
	return method
}
