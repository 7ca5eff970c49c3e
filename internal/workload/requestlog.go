package workload

import (
	"log/slog"
	"net/http"
	"time"
)

// logRequests logs each request except probes, so that "kubectl logs" shows which pod received it.
func logRequests(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isProbe(r) {
			next.ServeHTTP(w, r)
			return
		}
		start := time.Now()
		seen := &answer{ResponseWriter: w}
		// Deferred, because a handler can abort the connection.
		defer func() {
			log.Info("request", "method", r.Method, "host", r.Host, "uri", r.RequestURI, "from", r.RemoteAddr,
				"status", seen.status, "bytes", seen.bytes, "took", time.Since(start).Round(time.Microsecond))
		}()
		next.ServeHTTP(seen, r)
	})
}

// answer records the status and size for the log. status is 0 without a response.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader records the final status; informational responses (RFC 9110, section 15.2) come before it.
func (a *answer) WriteHeader(status int) {
	if a.status < http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write counts bytes, and records the implicit status 200.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Unwrap gives http.ResponseController access to Flush and Hijack.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
