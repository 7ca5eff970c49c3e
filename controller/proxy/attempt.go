package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/ingresslab/ingresslab/controller/balancer"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// attempt is one try at one endpoint, from the choice of the endpoint to the last byte of its
// response.
type attempt struct {
	endpoint *balancer.Endpoint
	timeouts routing.Timeouts
	secure   bool        // the connection uses TLS
	body     *clientBody // nil if the request has no body
	ctx      context.Context
	cancel   context.CancelCauseFunc

	// reply bounds the wait for bytes from the endpoint, upload the wait until the endpoint reads
	// the body. An endpoint can respond while the body is still being sent, so each wait needs its
	// own watchdog.
	reply, upload watchdog

	connected atomic.Bool // a connection was established
	reused    atomic.Bool // the connection served an earlier request, so it could be stale
	sent      atomic.Bool // the header was written: the endpoint might have started to work
	answered  atomic.Bool // the first byte of a response arrived
	returned  atomic.Bool // the response header is complete

	// writtenAt is when the whole request was written, in Unix nanoseconds; 0 before that.
	writtenAt atomic.Int64

	// bodyErr is the error that ended the response body early. Only the goroutine that serves the
	// request uses it.
	bodyErr  error
	finished bool
}

// send sends the request. If it succeeds, the timeouts continue to apply to the response body.
func (a *attempt) send(out *http.Request, transport *http.Transport) (*http.Response, error) {
	request := out.WithContext(httptrace.WithClientTrace(a.ctx, a.trace()))
	target := *out.URL
	target.Host = a.endpoint.HostPort()
	if a.secure {
		target.Scheme = "https"
	}
	request.URL = &target
	if a.body != nil {
		request.Body = &tryBody{body: a.body, try: a}
	}
	response, err := transport.RoundTrip(request)
	a.returned.Store(true)
	a.reply.stop()
	if err != nil {
		return nil, a.explain(err)
	}
	if response.StatusCode < http.StatusInternalServerError {
		a.observe() // errors come fast, and must not attract more requests to a failing endpoint
	}
	if tunnel, ok := response.Body.(io.ReadWriteCloser); ok && response.StatusCode == http.StatusSwitchingProtocols {
		response.Body = newTunnel(tunnel, a.timeouts.Read)
	} else {
		response.Body = &responseBody{ReadCloser: response.Body, try: a}
	}
	return response, nil
}

// trace starts and stops the watchdogs as the request progresses, and records the progress.
func (a *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			a.connected.Store(true)
			a.reused.Store(info.Reused)
			a.upload.arm(a.timeouts.Send, errSendTimeout)
		},
		WroteHeaders: func() { a.sent.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) {
			a.writtenAt.Store(time.Now().UnixNano())
			a.upload.stop()
			if !a.returned.Load() {
				a.reply.arm(a.timeouts.Read, errReadTimeout)
			}
			if a.returned.Load() { // send returned between the two lines above
				a.reply.stop()
			}
		},
		GotFirstResponseByte: func() { a.answered.Store(true) },
	}
}

// explain replaces "context canceled" with the timeout that canceled it.
func (a *attempt) explain(err error) error {
	if cause := context.Cause(a.ctx); cause != nil && !errors.Is(cause, context.Canceled) && !isDial(err) {
		return cause
	}
	return err
}

// blame reports a failed try to the endpoint, if the endpoint caused it. An idle connection can
// break because the endpoint was about to close it, which says nothing about new connections. A
// timeout counts as a failure, but the endpoint isn't avoided: it might be fast with other
// requests.
func (a *attempt) blame(f failure, err error) {
	switch {
	case !f.blame || a.reused.Load() && !a.answered.Load() && !isTimeout(err):
	case isTimeout(err) && !isDial(err):
		a.endpoint.TimedOut()
		a.observe()
	default:
		a.endpoint.Failed()
	}
}

// observe reports the latency to the endpoint, measured from the end of the request. The time
// before that can be the time that the client took to send its body. A response that arrived
// earlier isn't measured.
func (a *attempt) observe() {
	if written := a.writtenAt.Load(); written != 0 {
		a.endpoint.Observe(time.Since(time.Unix(0, written)))
	}
}

// finish ends the try and releases its resources. A second call does nothing.
func (a *attempt) finish() {
	if a.finished {
		return
	}
	a.finished = true
	a.reply.stop()
	a.upload.stop()
	a.cancel(nil)
	a.endpoint.End()
}

// responseBody bounds each pause of the endpoint by the read timeout.
type responseBody struct {
	io.ReadCloser
	try *attempt
}

// Read implements io.Reader.
func (b *responseBody) Read(p []byte) (int, error) {
	b.try.reply.arm(b.try.timeouts.Read, errReadTimeout)
	n, err := b.ReadCloser.Read(p)
	b.try.reply.stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.try.explain(err)
		b.try.bodyErr = err
	}
	return n, err
}
