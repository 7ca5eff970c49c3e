package workload

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxWait limits the waits that a request can set. It exceeds the usual proxy timeout of 60 seconds.
const maxWait = 5 * time.Minute

// slow responds after d (0s to 5m, default 1s), unless the client closes the connection. With before=body, only the body is late.
func slow(then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := readParams(r, "slow")
		d := p.duration("d", time.Second, maxWait)
		before := p.choice("before", "headers", "body")
		if !p.ok(w) {
			return
		}
		if before == "body" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		if !wait(r, d) {
			return
		}
		if before == "body" {
			_, _ = fmt.Fprintf(w, "This body came %s after its headers.\n", d)
			return
		}
		then(w, r)
	}
}

// wait waits for d, and returns false if the client closes the connection first.
func wait(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// status responds with the status in the path: /status/503. A redirect (3xx) can have ?location=.
func status(w http.ResponseWriter, r *http.Request, rest string) {
	text, _, _ := strings.Cut(rest, "/")
	p := readParams(r, "status")
	location, _ := p.text("location")
	code, err := strconv.Atoi(text)
	switch {
	case err != nil:
		p.faultf("status: %q is not a status code; use a path such as /status/503", text)
	case code < 200 || code > 599:
		p.faultf("status: %d is not between 200 and 599", code)
	case location != "" && code/100 != 3:
		p.faultf("location: requires a redirect status (300 to 399), got %d", code)
	}
	if !p.ok(w) {
		return
	}
	if location != "" {
		w.Header().Set("Location", location)
	}
	answerCode(w, code)
}

// answerCode responds with a status. 204 and 304 have no body (RFC 9110, sections 15.3.5 and 15.4.5).
func answerCode(w http.ResponseWriter, code int) {
	if code == http.StatusNoContent || code == http.StatusNotModified {
		w.WriteHeader(code)
		return
	}
	sendText(w, code, strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code))))
}

// fail fails a share of its requests (rate, 0 to 1, default 1), with one of these methods:
//
//	status    a response with ?status= (400 to 599, default 500)
//	close     the connection closes without a response
//	truncate  half of the body, then the connection closes
func fail(draw func() float64, otherwise http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := readParams(r, "fail")
		rate := p.fraction("rate", 1)
		code := p.number("status", http.StatusInternalServerError, 400, 599)
		how := p.choice("how", "status", "close", "truncate")
		if !p.ok(w) {
			return
		}
		switch {
		case draw() >= rate:
			otherwise(w, r)
		case how == "status":
			answerCode(w, code)
		case how == "truncate":
			const half = "the other half of this body never comes\n"
			w.Header().Set("Content-Length", strconv.Itoa(2*len(half)))
			_, _ = w.Write([]byte(half))
			_ = http.NewResponseController(w).Flush()
			hangUp()
		default:
			hangUp()
		}
	}
}

// hangUp closes the connection (HTTP/1.1) or resets the stream (HTTP/2) before the end of the response.
func hangUp() {
	panic(http.ErrAbortHandler) //nolint:forbidigo // the only way in net/http that supports HTTP/2, too
}
