package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/ingresslab/ingresslab/controller/routing"
	"github.com/ingresslab/ingresslab/controller/upstream"
)

// DialFunc opens a connection; net.Dialer.DialContext is one.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// view is a table together with the live state of its pools and a connection pool for each endpoint. A request loads one
// view and keeps it, whatever is swapped in meanwhile.
type view struct {
	table      *routing.Table
	pools      map[*routing.Pool]*upstream.Pool
	transports map[*upstream.Endpoint]*http.Transport
}

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
)

// newView brings the registry to the table's pools. Endpoints that stay keep their connections.
func newView(t *routing.Table, registry *upstream.Registry, old *view, dial DialFunc) (*view, []*upstream.Endpoint) {
	want := map[string][]upstream.Target{}
	for _, pool := range t.Pools() {
		want[pool.Key()] = targets(pool)
	}
	live, gone := registry.Update(want)
	v := &view{
		table:      t,
		pools:      make(map[*routing.Pool]*upstream.Pool, len(live)),
		transports: map[*upstream.Endpoint]*http.Transport{},
	}
	for _, pool := range t.Pools() {
		v.pools[pool] = live[pool.Key()]
	}
	for _, pool := range live {
		for _, endpoint := range pool.Endpoints() {
			v.transports[endpoint] = old.transport(endpoint, dial)
		}
	}
	return v, gone
}

func targets(pool *routing.Pool) []upstream.Target {
	list := make([]upstream.Target, len(pool.Endpoints))
	for i := range pool.Endpoints {
		list[i] = target(&pool.Endpoints[i])
	}
	return list
}

// transport gives the connection pool that the endpoint already has, or a new one. There is one for each endpoint, so that
// the connections to a pod that went away can be closed without touching any other.
func (v *view) transport(endpoint *upstream.Endpoint, dial DialFunc) *http.Transport {
	if v != nil {
		if transport := v.transports[endpoint]; transport != nil {
			return transport
		}
	}
	return &http.Transport{
		Proxy:                  nil, // never by HTTP_PROXY: endpoints are inside the cluster
		DialContext:            boundedDial(dial),
		DisableCompression:     true, // the client's Accept-Encoding and the endpoint's encoding pass untouched
		MaxIdleConnsPerHost:    idlePerEndpoint,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  expectTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
	}
}

// boundedDial limits a dial to the connect time-out of the request it is made for, and marks its errors: after a failed
// dial nothing was sent, so that any request may be tried elsewhere.
func boundedDial(dial DialFunc) DialFunc {
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: keepAlive}).DialContext
	}
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

// dialError is a connection that did not come about.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }
