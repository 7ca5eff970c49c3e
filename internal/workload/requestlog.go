package workload

import (
	"log/slog"
	"net/http"
	"time"
)

// logRequests writes a line for each request, so that "kubectl logs" shows which pod got it. Probes
// at /healthz and /readyz are left out.
func logRequests(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isProbe(r) {
			next.ServeHTTP(w, r)
			return
		}
		start := time.Now()
		seen := &answer{ResponseWriter: w}
		// Deferred, as a handler may abort the connection instead of returning.
		defer func() {
			log.Info("request", "method", r.Method, "host", r.Host, "uri", r.RequestURI, "from", r.RemoteAddr,
				"status", seen.status, "bytes", seen.bytes, "took", time.Since(start).Round(time.Microsecond))
		}()
		next.ServeHTTP(seen, r)
	})
}

// answer notes what the log wants to know. status is 0 if the handler gave no answer.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader notes the final status; informational ones (RFC 9110, section 15.2) come before it.
func (a *answer) WriteHeader(status int) {
	if a.status < http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write counts, and notes the 200 that net/http adds by itself.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Unwrap is how http.ResponseController finds Flush and Hijack.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
