package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
)

// statusClientGone is what the access log says about a client that went away before it had its answer. It is nginx's
// number: https://nginx.org/en/docs/dev/development_guide.html#http_return_codes; nobody receives it.
const statusClientGone = 499

var (
	errNoEndpoint     = errors.New("no endpoint left to try")
	errConnectTimeout = errors.New("no connection within the connect time-out")
	errSendTimeout    = errors.New("endpoint did not take the request within the send time-out")
	errReadTimeout    = errors.New("endpoint sent nothing within the read time-out")

	// ErrShutdown is the cause with which the server's base context is to be canceled when the time for the last
	// requests is over.
	ErrShutdown = errors.New("the controller is shutting down")
)

// failure is why an exchange ended without the endpoint's full answer.
type failure struct {
	status int
	reason string
	// blame says that it was the endpoint's fault, hangUp that the client's connection is of no more use.
	blame, hangUp bool
}

// classify finds out whose fault err is, in this order: the client's, ours, the endpoint's.
func (x *exchange) classify(err error) failure {
	if x.body != nil {
		if bodyErr := x.body.failure(); bodyErr != nil {
			return x.clientFailure(bodyErr)
		}
	}
	if ctx := x.request.Context(); ctx.Err() != nil {
		if errors.Is(context.Cause(ctx), ErrShutdown) {
			return failure{status: http.StatusServiceUnavailable, reason: ErrShutdown.Error()}
		}
		return failure{status: statusClientGone, reason: "client went away"}
	}
	switch {
	case errors.Is(err, errNoEndpoint):
		return failure{status: http.StatusServiceUnavailable, reason: err.Error()}
	case isTimeout(err):
		return failure{status: http.StatusGatewayTimeout, reason: x.atEndpoint(err), blame: true}
	default:
		return failure{status: http.StatusBadGateway, reason: x.atEndpoint(err), blame: true}
	}
}

// clientFailure is a body that broke off, stalled or is malformed.
func (x *exchange) clientFailure(err error) failure {
	switch {
	case errors.Is(err, errBodyTooLarge):
		return failure{status: http.StatusRequestEntityTooLarge, reason: err.Error(), hangUp: true}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return failure{status: http.StatusRequestTimeout, reason: fmt.Sprintf("client sent nothing for %s", clientTimeout), hangUp: true}
	case x.request.Context().Err() != nil:
		return failure{status: statusClientGone, reason: "client went away"}
	default:
		return failure{status: http.StatusBadRequest, reason: fmt.Sprintf("request body: %v", err), hangUp: true}
	}
}

func (x *exchange) atEndpoint(err error) string {
	return fmt.Sprintf("endpoint %s: %v", x.record.Endpoint, err)
}

// answerFailure tells the client that no endpoint answered. The engine calls it instead of passing a response on.
func (s *Server) answerFailure(_ http.ResponseWriter, out *http.Request, err error) {
	x := exchangeOf(out.Context())
	if intercepted := (*interceptedError)(nil); errors.As(err, &intercepted) {
		s.refuse(x, &refusal{status: intercepted.status, reason: fmt.Sprintf("endpoint %s answered %d", x.record.Endpoint, intercepted.status)})
		return
	}
	f := x.classify(err)
	s.logFailure(x, f, err)
	s.refuse(x, &refusal{status: f.status, reason: f.reason, hangUp: f.hangUp})
}

// logFailure writes what an operator wants to see at once. Clients go away all the time: that is for debugging only.
func (s *Server) logFailure(x *exchange, f failure, err error) {
	level := slog.LevelWarn
	if !f.blame {
		level = slog.LevelDebug
	}
	s.log.LogAttrs(x.request.Context(), level, "request failed",
		slog.Int("status", f.status),
		slog.Any("error", err),
		slog.String("ingress", x.record.Ingress),
		slog.String("service", x.record.Service),
		slog.String("endpoint", x.record.Endpoint),
		slog.Int("tries", len(x.tried)),
		slog.String("request_id", x.record.RequestID),
	)
}
