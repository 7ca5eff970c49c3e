package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

const (
	// idlePerEndpoint bounds the idle connections to one endpoint.
	idlePerEndpoint = 128
	// idleTimeout is how long an idle connection is kept (ingress-nginx:
	// upstream-keepalive-timeout).
	idleTimeout = 60 * time.Second
	// expectTimeout bounds the wait for the endpoint's 100 (Continue) if the client sent "Expect:
	// 100-continue". After it, the body is sent (RFC 9110, 10.1.1).
	expectTimeout = time.Second
	// maxResponseHeader bounds the header section of an endpoint's response, in bytes.
	maxResponseHeader = 1 << 20
	// keepAlive is the interval of TCP keep-alive probes on connections to endpoints.
	keepAlive = 15 * time.Second
	// pingAfter is the silence on an HTTP/2 connection after which a PING is sent, and pingTimeout
	// bounds the wait for the reply. Many requests share one connection: if it is dead, all of them
	// would wait for their timeouts.
	pingAfter, pingTimeout = 15 * time.Second, 15 * time.Second
)

// dialect is how requests are sent to an endpoint. Two routes to one pod can differ in it.
type dialect struct {
	protocol annotations.Protocol
	// tls is the key of the backend's TLS settings. It is empty if the backend doesn't use TLS.
	tls string
}

func dialectOf(policy *routing.Policy) dialect {
	if policy == nil {
		return dialect{}
	}
	d := dialect{protocol: policy.Backend.Protocol}
	if d.protocol.TLS() && policy.BackendTLS != nil {
		d.tls = policy.BackendTLS.Key
	}
	return d
}

// transports are the connection pools of one endpoint, one for each dialect, created on first use.
// Each endpoint has its own, so the proxy can close the connections to one deleted pod.
type transports struct {
	dial DialFunc
	// name is the name of the endpoint's Service. The endpoint's certificate is verified against
	// it, unless an annotation sets another name.
	name string
	// plain is the transport for plain HTTP, which nearly all requests use.
	plain atomic.Pointer[http.Transport]

	mu     sync.Mutex
	others map[dialect]*http.Transport
}

// get returns the transport for requests with the policy. A nil policy means plain HTTP.
func (t *transports) get(policy *routing.Policy) *http.Transport {
	d := dialectOf(policy)
	if d == (dialect{}) {
		if transport := t.plain.Load(); transport != nil {
			return transport
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if d == (dialect{}) {
		if t.plain.Load() == nil {
			t.plain.Store(newTransport(d, nil, t.dial))
		}
		return t.plain.Load()
	}
	transport := t.others[d]
	if transport == nil {
		transport = newTransport(d, policy.BackendTLS.Named(t.name), t.dial)
		if t.others == nil {
			t.others = map[dialect]*http.Transport{}
		}
		t.others[d] = transport
	}
	return transport
}

// keep removes the dialects that no route uses any more, such as one with an old client
// certificate.
func (t *transports) keep(wanted map[dialect]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for d, transport := range t.others {
		if !wanted[d] {
			delete(t.others, d)
			transport.CloseIdleConnections()
		}
	}
}

// closeIdle closes the idle connections.
func (t *transports) closeIdle() {
	if plain := t.plain.Load(); plain != nil {
		plain.CloseIdleConnections()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, transport := range t.others {
		transport.CloseIdleConnections()
	}
}

func newTransport(d dialect, secure *routing.BackendTLS, dial DialFunc) *http.Transport {
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: keepAlive}).DialContext
	}
	var protocols http.Protocols
	switch d.protocol {
	case annotations.GRPC:
		protocols.SetUnencryptedHTTP2(true)
	case annotations.GRPCS:
		protocols.SetHTTP2(true)
	case annotations.HTTP, annotations.HTTPS:
		protocols.SetHTTP1(true)
	}
	return &http.Transport{
		Protocols:              &protocols,
		Proxy:                  nil, // never use HTTP_PROXY: endpoints are inside the cluster
		DialContext:            boundedDial(dial),
		DialTLSContext:         boundedDial(tlsDial(dial, backendTLSConfig(secure, d.protocol.HTTP2()))),
		DisableCompression:     true, // keep the client's Accept-Encoding and the endpoint's encoding
		MaxIdleConnsPerHost:    idlePerEndpoint,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  expectTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// boundedDial bounds a dial by the request's connect timeout, and marks its errors: after a failed
// dial nothing was sent, so any request can be tried at another endpoint.
func boundedDial(dial DialFunc) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		// net/http dials with the values of the request's context, but without its cancellation:
		// another request can use the connection (https://go.dev/issue/34941).
		if x := exchangeOf(ctx); x != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, x.decision.Timeouts.Connect, errConnectTimeout)
			defer cancel()
		}
		conn, err := dial(ctx, network, address)
		if err == nil {
			return conn, nil
		}
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("dial %s: %w", address, cause)
		}
		return nil, &dialError{err}
	}
}

// tlsDial adds the TLS handshake, which the connect timeout includes, as in nginx.
func tlsDial(dial DialFunc, config *tls.Config) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = raw.Close() // the handshake's error is more useful
			return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
		}
		return conn, nil
	}
}

// dialError means that no connection was established.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }
