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
	// headerTimeout bounds the time a client takes for a request's header; without it a few clients that send a byte a
	// minute would hold all connections (ingress-nginx: client-header-timeout 60 s; no honest client needs more than 10 s).
	headerTimeout = 10 * time.Second
	// keepAliveTimeout is how long an idle client connection is kept (ingress-nginx: keep-alive 75 s).
	keepAliveTimeout = 75 * time.Second
	// maxHeaderBytes bounds a request's header: large cookies pass, memory is safe. More gets 431.
	maxHeaderBytes = 64 << 10
	// maxStreams bounds the requests in flight on one HTTP/2 connection (ingress-nginx: http2-max-concurrent-streams).
	maxStreams = 128
	// handshakeTimeout bounds a TLS handshake.
	handshakeTimeout = 10 * time.Second
)

// NewHTTPServer gives the server for a listener of Listen or ListenTLS. Its requests' contexts descend from ctx; cancel
// it with ErrShutdown to end those that do not end by themselves.
func NewHTTPServer(ctx context.Context, handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       keepAliveTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConn,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		// "OPTIONS *" is about the server, not about any route; the shape check says so.
		DisableGeneralOptionsHandler: true,
		// Malformed requests and failed handshakes of the whole internet.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// Listen makes a listener whose connections are checked for ambiguous framing.
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

// ListenTLS makes a listener that yields connections after their handshake: those that agreed on HTTP/2 as they are, for
// net/http to serve, and the others with their framing checked.
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

// Close implements net.Listener. Handshakes under way are broken off.
func (l *tlsListener) Close() error {
	l.cancel()
	err := l.Listener.Close()
	l.running.Wait()
	return err
}

// accept hands every connection to a goroutine of its own: a slow handshake holds up nobody else.
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

// acceptPause is the wait after an error like "too many open files", which passes.
const acceptPause = 50 * time.Millisecond

func temporary(err error) bool {
	return err != nil && !errors.Is(err, net.ErrClosed)
}

func (l *tlsListener) handshake(raw net.Conn) {
	ctx, cancel := context.WithTimeout(l.ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Server(raw, l.config)
	if err := conn.HandshakeContext(ctx); err != nil {
		answerPlain(err)
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

// answerPlain helps those who wrote http:// for an https:// port.
func answerPlain(err error) {
	var record tls.RecordHeaderError
	if !errors.As(err, &record) || record.Conn == nil || record.RecordHeader[0] < 'A' || record.RecordHeader[0] > 'Z' {
		return
	}
	_ = record.Conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(record.Conn, "HTTP/1.1 400 Bad Request\r\nServer: "+serverName+"\r\nConnection: close\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\n\r\n400 Bad Request\nthis port speaks HTTPS\n")
}
