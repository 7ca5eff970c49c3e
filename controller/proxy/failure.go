package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
)

// statusClientGone is the status in the access log if the client disconnected before the response.
// It is nginx's code: https://nginx.org/en/docs/dev/development_guide.html#http_return_codes. No
// client receives it.
const statusClientGone = 499

var (
	errNoEndpoint     = errors.New("no endpoint left to try")
	errConnectTimeout = errors.New("no connection within the connect timeout")
	errSendTimeout    = errors.New("endpoint did not read the request within the send timeout")
	errReadTimeout    = errors.New("endpoint sent no data within the read timeout")

	// ErrShutdown is the cause for canceling the server's base context when the shutdown timeout is
	// over.
	ErrShutdown = errors.New("the controller is shutting down")
)

// failure is the reason why an exchange ended without a complete response from the endpoint.
type failure struct {
	status int
	reason string
	// blame means that the endpoint caused the failure. closeConn means that the proxy must close
	// the client's connection.
	blame, closeConn bool
}

// classify finds the cause of err, in this order: the client, the proxy, the endpoint.
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
		return failure{status: statusClientGone, reason: "client disconnected"}
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

// clientFailure describes a request body that is incomplete, too slow, too large, or malformed.
func (x *exchange) clientFailure(err error) failure {
	switch {
	case errors.Is(err, errBodyTooLarge):
		return failure{status: http.StatusRequestEntityTooLarge, reason: err.Error(), closeConn: true}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return failure{status: http.StatusRequestTimeout, reason: fmt.Sprintf("client sent no data for %s", clientTimeout), closeConn: true}
	case x.request.Context().Err() != nil:
		return failure{status: statusClientGone, reason: "client disconnected"}
	default:
		return failure{status: http.StatusBadRequest, reason: fmt.Sprintf("invalid request body: %v", err), closeConn: true}
	}
}

func (x *exchange) atEndpoint(err error) string {
	return fmt.Sprintf("endpoint %s: %v", x.record.Endpoint, err)
}

// answerFailure responds if no endpoint does. The engine calls it when forward or finishHeader
// fails.
func (s *Server) answerFailure(_ http.ResponseWriter, out *http.Request, err error) {
	x := exchangeOf(out.Context())
	if intercepted := (*interceptedError)(nil); errors.As(err, &intercepted) {
		s.refuse(x, &refusal{status: intercepted.status, reason: fmt.Sprintf("endpoint %s returned %d", x.record.Endpoint, intercepted.status)})
		return
	}
	f := x.classify(err)
	s.logFailure(x, f, err)
	s.refuse(x, &refusal{status: f.status, reason: f.reason, closeConn: f.closeConn})
}

// logFailure logs a failed request. Disconnected clients are frequent, so they have level debug.
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
