package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxMirrors bounds the copies that are being read or sent; further requests are not
	// mirrored.
	maxMirrors = 64
	// mirrorBodyLimit is the largest body that is copied, in bytes: the default of proxy-body-size.
	// With maxMirrors, it limits the memory for mirrors to 64 MiB.
	mirrorBodyLimit = 1 << 20
	// mirrorTimeout bounds sending one copy, from the dial to the end of the response.
	mirrorTimeout = 10 * time.Second
)

// mirrors counts the copies for mirrors (annotation mirror-target).
type mirrors struct {
	slots         chan struct{}
	sent, dropped atomic.Uint64
}

// Mirrored returns the number of copies that were sent to mirrors, and the number of dropped
// copies. A copy is dropped if too many are in flight, or if its body is too large or incomplete.
func (s *Server) Mirrored() (sent, dropped uint64) {
	return s.mirrors.sent.Load(), s.mirrors.dropped.Load()
}

// mirror sends a copy of the request to a mirror (Policy.Mirror). It never answers or delays the
// request: copies that would need too much memory are dropped.
func (s *Server) mirror(x *exchange) (done bool) {
	if x.decision.Policy == nil || x.decision.Policy.Mirror.Target.IsZero() {
		return false
	}
	duplicate, err := x.mirrorRequest()
	if err != nil {
		s.dropMirror(x, err)
		return false
	}
	select {
	case s.mirrors.slots <- struct{}{}:
	default:
		s.dropMirror(x, errors.New("too many copies in flight"))
		return false
	}
	send := func(body []byte) { go s.sendMirror(x.request.Context(), duplicate, body) }
	drop := func(err error) {
		<-s.mirrors.slots
		s.dropMirror(x, err)
	}
	// HTTP/2 can announce a body of 0 bytes; the engine neither reads nor closes it.
	body := x.request.Body
	if x.decision.Policy.Mirror.RequestBody && body != nil && body != http.NoBody && x.request.ContentLength != 0 {
		x.request.Body = &mirroredBody{ReadCloser: body, send: send, drop: drop}
		return false
	}
	send(nil)
	return false
}

func (s *Server) dropMirror(x *exchange, err error) {
	s.mirrors.dropped.Add(1)
	s.log.LogAttrs(x.request.Context(), slog.LevelDebug, "request not mirrored",
		slog.Any("error", err), slog.String("ingress", x.record.Ingress), slog.String("request_id", x.record.RequestID))
}

// mirrorRequest returns the copy without its body: the same method, and the endpoint's header.
func (x *exchange) mirrorRequest() (*http.Request, error) {
	mirror := &x.decision.Policy.Mirror
	target, err := externalURL(x.expand(mirror.Target))
	if err != nil {
		return nil, err
	}
	duplicate := &http.Request{Method: x.request.Method, URL: target, Host: mirror.Host, Header: x.copyHeader()}
	x.setForwarded(duplicate.Header)
	x.setAuthHeaders(duplicate.Header)
	x.setClientCertificate(duplicate.Header)
	return duplicate, nil
}

// sendMirror sends a copy and discards the response, even if the client has disconnected.
func (s *Server) sendMirror(ctx context.Context, duplicate *http.Request, body []byte) {
	defer func() { <-s.mirrors.slots }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mirrorTimeout)
	defer cancel()
	duplicate = duplicate.WithContext(ctx)
	if len(body) > 0 {
		duplicate.Body, duplicate.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	s.mirrors.sent.Add(1)
	response, err := s.outside.RoundTrip(duplicate)
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelDebug, "mirror failed", slog.Any("error", err), slog.String("url", duplicate.URL.Redacted()))
		return
	}
	_, _ = io.CopyN(io.Discard, response.Body, authBodyLimit) // enough to reuse the connection
	_ = response.Body.Close()
}

var (
	errMirrorTooLarge = errors.New("the request body exceeds the limit of 1 MiB for mirrored requests")
	errMirrorBroken   = errors.New("the endpoint did not read the whole request body")
)

// mirroredBody copies the body while the endpoint's request reads it, and then sends the copy.
type mirroredBody struct {
	io.ReadCloser
	send func(body []byte)
	drop func(error)

	mu     sync.Mutex // the engine can call Close while its transport calls Read
	copied []byte
	over   bool
}

// Read implements io.Reader.
func (b *mirroredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.over:
	case len(b.copied)+n > mirrorBodyLimit:
		b.end(errMirrorTooLarge)
	default:
		b.copied = append(b.copied, p[:n]...)
		if err != nil {
			b.end(err)
		}
	}
	return n, err
}

// Close implements io.Closer.
func (b *mirroredBody) Close() error {
	b.mu.Lock()
	if !b.over {
		b.end(errMirrorBroken)
	}
	b.mu.Unlock()
	return b.ReadCloser.Close()
}

// end runs once, with the error that ended the copy.
func (b *mirroredBody) end(err error) {
	body := b.copied
	b.over, b.copied = true, nil
	if errors.Is(err, io.EOF) {
		b.send(body)
		return
	}
	b.drop(err)
}
