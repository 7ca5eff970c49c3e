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
	// idlePerEndpoint bounds the idle connections that are kept for one pod.
	idlePerEndpoint = 128
	// idleTimeout is how long such a connection waits for work (ingress-nginx: upstream-keepalive-timeout).
	idleTimeout = 60 * time.Second
	// expectTimeout is how long a client that asked "Expect: 100-continue" makes us wait for the endpoint's word before
	// the body is sent anyway (RFC 9110, 10.1.1).
	expectTimeout = time.Second
	// maxResponseHeader bounds the header section of an endpoint's response, in bytes.
	maxResponseHeader = 1 << 20
	// keepAlive is the interval of TCP keep-alive probes on connections to endpoints.
	keepAlive = 15 * time.Second
	// pingAfter is how long an HTTP/2 connection may be silent before it is asked for a sign of life, and pingTimeout how long
	// that may take. Many requests share one such connection: if it is dead, all of them would wait for their time-outs.
	pingAfter, pingTimeout = 15 * time.Second, 15 * time.Second
)

// dialect is a way to speak to an endpoint. Two routes may lead to one pod and disagree about it.
type dialect struct {
	protocol annotations.Protocol
	// tls is the Key of the BackendTLS; empty: none.
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

// transports are the connection pools of one endpoint, one for each dialect, made when they are first needed. An endpoint
// has its own, so that the connections to a pod that went away can be closed without touching any other.
type transports struct {
	dial DialFunc
	// name is that of the endpoint's Service, by which its certificate is verified when no annotation gives another.
	name string
	// plain is the one for HTTP in the clear, which nearly all requests want.
	plain atomic.Pointer[http.Transport]

	mu     sync.Mutex
	others map[dialect]*http.Transport
}

// get gives the transport for requests under the policy; nil stands for plain HTTP.
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

// keep gives up the dialects that no route speaks any more, such as one with an old client certificate.
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

// closeIdle closes the connections that wait for work.
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
		Proxy:                  nil, // never by HTTP_PROXY: endpoints are inside the cluster
		DialContext:            boundedDial(dial),
		DialTLSContext:         boundedDial(tlsDial(dial, backendTLSConfig(secure, d.protocol.HTTP2()))),
		DisableCompression:     true, // the client's Accept-Encoding and the endpoint's encoding pass untouched
		MaxIdleConnsPerHost:    idlePerEndpoint,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  expectTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// boundedDial limits a dial to the connect time-out of the request it is made for, and marks its errors: after a failed
// dial nothing was sent, so that any request may be tried elsewhere.
func boundedDial(dial DialFunc) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		// net/http dials with the values of the request's context but without its end: the connection may serve another
		// request if this one is gone (https://go.dev/issue/34941).
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

// tlsDial adds the handshake, which is part of what the connect time-out bounds, as it is in nginx.
func tlsDial(dial DialFunc, config *tls.Config) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = raw.Close() // the handshake's error says more
			return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
		}
		return conn, nil
	}
}

// dialError is a connection that did not come about.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }
