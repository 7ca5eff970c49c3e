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
	// mirrorsAtOnce bounds the copies that are being gathered or sent; requests beyond it have none.
	mirrorsAtOnce = 64
	// mirrorBodyLimit is the largest body that is copied, in bytes: the default of proxy-body-size. With mirrorsAtOnce it bounds
	// the memory for mirrors to 64 MiB.
	mirrorBodyLimit = 1 << 20
	// mirrorTimeout bounds a copy, from the dial to the end of the answer.
	mirrorTimeout = 10 * time.Second
)

// mirrors counts what goes to mirrors (annotation mirror-target).
type mirrors struct {
	slots         chan struct{}
	sent, dropped atomic.Uint64
}

// Mirrored is how many copies of requests were sent to mirrors, and how many were not, because too many were under way or
// their bodies were too large or broke off.
func (s *Server) Mirrored() (sent, dropped uint64) {
	return s.mirrors.sent.Load(), s.mirrors.dropped.Load()
}

// mirror sends a copy of the request elsewhere (Policy.Mirror). It never answers the request, and never makes it wait: what
// cannot be copied in bounded memory is not copied.
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
		s.dropMirror(x, errors.New("too many are under way"))
		return false
	}
	send := func(body []byte) { go s.sendMirror(x.request.Context(), duplicate, body) }
	drop := func(err error) {
		<-s.mirrors.slots
		s.dropMirror(x, err)
	}
	// A body of 0 bytes can be announced over HTTP/2; the engine neither reads nor closes it.
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

// mirrorRequest is the copy without its body: the same method, and the header that an endpoint gets.
func (x *exchange) mirrorRequest() (*http.Request, error) {
	mirror := &x.decision.Policy.Mirror
	target, err := outsideURL(x.expand(mirror.Target))
	if err != nil {
		return nil, err
	}
	duplicate := &http.Request{Method: x.request.Method, URL: target, Host: mirror.Host, Header: x.copyHeader()}
	x.setForwarded(duplicate.Header)
	x.setAuthHeaders(duplicate.Header)
	x.setClientCertificate(duplicate.Header)
	return duplicate, nil
}

// sendMirror sends a copy and drops the answer. The client may be gone by then; its copy is sent all the same.
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
	_, _ = io.CopyN(io.Discard, response.Body, authBodyLimit) // enough to use the connection again
	_ = response.Body.Close()
}

var (
	errMirrorTooLarge = errors.New("the body is too large")
	errMirrorBroken   = errors.New("the body was not read to its end")
)

// mirroredBody gathers the body while it is read for the endpoint, and sends the copy at its end.
type mirroredBody struct {
	io.ReadCloser
	send func(body []byte)
	drop func(error)

	mu     sync.Mutex // the engine may close what its transport still reads
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

// end is called once, with what ended the copy.
func (b *mirroredBody) end(err error) {
	body := b.copied
	b.over, b.copied = true, nil
	if errors.Is(err, io.EOF) {
		b.send(body)
		return
	}
	b.drop(err)
}
