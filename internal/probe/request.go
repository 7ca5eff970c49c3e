// Package probe sends one HTTP request and records the response.
//
// A [Client] sends a [Request] to the Ingress controller for any host in the URL, without DNS. It returns an [Observation]: status,
// headers, body, duration, the pod that responded, and the controller's reason. [Compare] compares an Observation with an [Expectation]
// and returns each [Mismatch]. Retries are up to the caller.
//
// Read request.go, observation.go, then compare.go.
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

// Limits of a Request.
const (
	DefaultTimeout = 5 * time.Second // of a Request without a Timeout
	MaxBody        = 1 << 20         // limits the recorded part of a body, in bytes
	maxRedirects   = 10              // of a Request with Follow
)

// Request is one HTTP request.
type Request struct {
	Method string // GET if empty
	// URL is absolute, with scheme http or https. Its host is the Host header and the TLS server name. The Client's Addresses
	// determine the address of the connection.
	URL string
	// Header is sent unchanged. A Host in it replaces that of the URL, but not the TLS server name.
	Header http.Header
	Body   string // sent if it is not empty
	Follow bool   // follow redirects
	// Cookies, if not nil, adds its cookies to the request and stores those of the response.
	Cookies     http.CookieJar
	Certificate *tls.Certificate // of the client; nil for none
	Timeout     time.Duration    // of the whole exchange; zero means DefaultTimeout
}

// Addresses are the targets of connections as host:port. An empty address means the host and port in the URL.
type Addresses struct {
	HTTP  string // for http URLs
	HTTPS string // for https URLs
}

// Client sends Requests to the Ingress controller. It is safe for concurrent use.
//
// Each request uses a new connection. A kept connection would always use the same controller replica, and would hide a port that no
// longer accepts connections. Certificates are recorded without verification. Proxy settings of the environment are ignored.
type Client struct {
	transport *http.Transport
	addresses Addresses
}

// NewClient returns a Client for the addresses.
func NewClient(addresses Addresses) *Client {
	return &Client{addresses: addresses, transport: newTransport(addresses, nil)}
}

// newTransport returns a transport with a client certificate, if it is not nil.
func newTransport(addresses Addresses, certificate *tls.Certificate) *http.Transport {
	return &http.Transport{
		DialContext:       dialer(addresses.HTTP),
		DialTLSContext:    tlsDialer(addresses.HTTPS, certificate),
		DisableKeepAlives: true,
		// The body is recorded as received.
		DisableCompression: true,
		ForceAttemptHTTP2:  true,
	}
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func dialer(override string) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, cmp.Or(override, address))
	}
}

// tlsDialer sends the host of the URL as server name (SNI, RFC 6066 section 3), for any target.
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
			InsecureSkipVerify: true, //nolint:gosec // the certificate is recorded, not verified
		}
		if certificate != nil {
			// With Certificates, crypto/tls would omit a certificate whose authority the server does not list.
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
		}
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		return conn, nil
	}
}

// Do sends the request and records the response. Without a response, the Observation has Err.
func (c *Client) Do(ctx context.Context, r Request) Observation {
	begin := time.Now()
	timeout := cmp.Or(max(r.Timeout, 0), DefaultTimeout)
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	o := Observation{Method: cmp.Or(r.Method, http.MethodGet), URL: r.URL}
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
	client := &http.Client{Transport: transport, Jar: r.Cookies, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if !r.Follow || len(via) >= maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // the body is read, or the read has failed
	return o.record(res)
}

// record stores the head and the start of the body. It reads the rest to detect an incomplete body.
func (o *Observation) record(res *http.Response) error {
	o.Status, o.Proto, o.Header = res.StatusCode, res.Proto, res.Header
	o.Served, o.Reason, o.TLS = servedBy(res.Header), res.Header.Get(HeaderReason), observeTLS(res.TLS)
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
