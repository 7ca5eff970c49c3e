package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// headerTimeout bounds the time for reading a request header. Without it, a few slow clients
	// could hold all connections (ingress-nginx: client-header-timeout 60 s; ordinary clients need
	// less than 10 s).
	headerTimeout = 10 * time.Second
	// keepAliveTimeout is how long an idle client connection is kept (ingress-nginx: keep-alive 75
	// s).
	keepAliveTimeout = 75 * time.Second
	// maxHeaderBytes bounds a request header: it allows large cookies and limits memory. A larger
	// header gets 431.
	maxHeaderBytes = 64 << 10
	// maxStreams bounds the requests in flight on one HTTP/2 connection (ingress-nginx:
	// http2-max-concurrent-streams).
	maxStreams = 128
	// handshakeTimeout bounds a TLS handshake.
	handshakeTimeout = 10 * time.Second
)

// NewHTTPServer returns the server for a listener of Listen or ListenTLS. The requests' contexts
// derive from ctx. Cancel ctx with ErrShutdown to end requests that are still in flight.
func NewHTTPServer(ctx context.Context, handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       keepAliveTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConn,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		// "OPTIONS *" refers to the server, not to a route; checkShape refuses it.
		DisableGeneralOptionsHandler: true,
		// Any client can cause these messages: malformed requests, and failed handshakes.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// Listen returns a listener that checks the framing of its connections.
func Listen(inner net.Listener) net.Listener { return &strictListener{inner} }

type strictListener struct{ net.Listener }

// Accept implements net.Listener.
func (l *strictListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &strictConn{Conn: conn}, nil
}

// ListenTLS returns a listener that accepts connections after their TLS handshake. It checks the
// framing of HTTP/1 connections, and returns HTTP/2 connections unchanged.
func ListenTLS(inner net.Listener, config *tls.Config) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	l := &tlsListener{Listener: inner, config: config, ctx: ctx, cancel: cancel, ready: make(chan net.Conn)}
	l.running.Go(l.accept)
	return l
}

type tlsListener struct {
	net.Listener
	config  *tls.Config
	ctx     context.Context
	cancel  context.CancelFunc
	ready   chan net.Conn
	running sync.WaitGroup
}

// Accept implements net.Listener.
func (l *tlsListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.ready:
		return conn, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It aborts handshakes in progress.
func (l *tlsListener) Close() error {
	l.cancel()
	err := l.Listener.Close()
	l.running.Wait()
	return err
}

// accept starts a goroutine per connection, so that a slow handshake doesn't block the others.
func (l *tlsListener) accept() {
	defer l.cancel()
	for {
		conn, err := l.Listener.Accept()
		if temporary(err) {
			select {
			case <-time.After(acceptPause):
				continue
			case <-l.ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
		l.running.Go(func() { l.handshake(conn) })
	}
}

// acceptPause is the wait after a temporary error such as "too many open files".
const acceptPause = 50 * time.Millisecond

func temporary(err error) bool {
	return err != nil && !errors.Is(err, net.ErrClosed)
}

func (l *tlsListener) handshake(raw net.Conn) {
	ctx, cancel := context.WithTimeout(l.ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Server(raw, l.config)
	if err := conn.HandshakeContext(ctx); err != nil {
		answerPlainHTTP(err)
		_ = raw.Close()
		return
	}
	var ready net.Conn = conn
	if conn.ConnectionState().NegotiatedProtocol != "h2" {
		ready = &strictTLSConn{strictConn: strictConn{Conn: conn}, tls: conn}
	}
	select {
	case l.ready <- ready:
	case <-l.ctx.Done():
		_ = conn.Close()
	}
}

// answerPlainHTTP responds to plain HTTP on the HTTPS port.
func answerPlainHTTP(err error) {
	var record tls.RecordHeaderError
	if !errors.As(err, &record) || record.Conn == nil || record.RecordHeader[0] < 'A' || record.RecordHeader[0] > 'Z' {
		return
	}
	_ = record.Conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(record.Conn, "HTTP/1.1 400 Bad Request\r\nServer: "+serverName+"\r\nConnection: close\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\n\r\n400 Bad Request\nthis port speaks HTTPS\n")
}
