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

// attempt is one try at one endpoint: from the choice of the endpoint to the last byte of its response.
type attempt struct {
	endpoint *balancer.Endpoint
	timeouts routing.Timeouts
	secure   bool        // over TLS
	body     *clientBody // nil when the request has none
	ctx      context.Context
	cancel   context.CancelCauseFunc

	// reply watches for the endpoint's next bytes, upload for it to take ours. They are two because an endpoint may
	// answer while the body is still being sent.
	reply, upload watchdog

	connected atomic.Bool // there was a connection
	reused    atomic.Bool // and it had served before, so that it may have been stale
	sent      atomic.Bool // the header was written: the endpoint may have begun to work
	answered  atomic.Bool // a byte of a response arrived
	returned  atomic.Bool // the header of the response is complete

	// asked is when the whole request was written, as Unix nanoseconds; 0: not yet.
	asked atomic.Int64

	// bodyErr is what ended the response's body early; only the goroutine that serves the request uses it.
	bodyErr  error
	finished bool
}

// send performs the try. On success the response's body carries on with the time-outs.
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
		a.observe() // errors come fast, and must not draw more requests to a broken endpoint
	}
	if tunnel, ok := response.Body.(io.ReadWriteCloser); ok && response.StatusCode == http.StatusSwitchingProtocols {
		response.Body = newTunnel(tunnel, a.timeouts.Read)
	} else {
		response.Body = &responseBody{ReadCloser: response.Body, try: a}
	}
	return response, nil
}

// trace starts and stops the watchdogs as the request makes its way, and notes how far it got.
func (a *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			a.connected.Store(true)
			a.reused.Store(info.Reused)
			a.upload.arm(a.timeouts.Send, errSendTimeout)
		},
		WroteHeaders: func() { a.sent.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) {
			a.asked.Store(time.Now().UnixNano())
			a.upload.stop()
			if !a.returned.Load() {
				a.reply.arm(a.timeouts.Read, errReadTimeout)
			}
			if a.returned.Load() { // it came back between the two lines above
				a.reply.stop()
			}
		},
		GotFirstResponseByte: func() { a.answered.Store(true) },
	}
}

// explain replaces "context canceled" by the time-out that canceled it.
func (a *attempt) explain(err error) error {
	if cause := context.Cause(a.ctx); cause != nil && !errors.Is(cause, context.Canceled) && !isDial(err) {
		return cause
	}
	return err
}

// blame tells the endpoint about a failed try, if it was its fault. A connection that had been idle may break because the
// endpoint was about to close it: that says nothing about a new one. An endpoint that is slow with one request is counted
// but not avoided: it may be quick with all others.
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

// observe tells the endpoint's latency how long it took from the end of the request. What comes before may be the time that
// the client took to send its body, and an answer that came before says nothing.
func (a *attempt) observe() {
	if asked := a.asked.Load(); asked != 0 {
		a.endpoint.Observe(time.Since(time.Unix(0, asked)))
	}
}

// finish ends the try: nothing of it runs on. It may be called twice.
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

// responseBody lets the endpoint pause for no longer than the read time-out.
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
