package workload

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxWait bounds every wait that a request can ask for. Proxies give up after 60 seconds by default;
// this is enough to watch them do it.
const maxWait = 5 * time.Minute

// slow answers after d (0s to 5m, default 1s), or never if the client leaves before. With before=body
// the status and headers come at once and only the body is late.
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

// wait returns false if the client left first.
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

// status answers with the code that the path names: /status/503. A redirect (3xx) takes ?location=.
func status(w http.ResponseWriter, r *http.Request, rest string) {
	text, _, _ := strings.Cut(rest, "/")
	p := readParams(r, "status")
	location, _ := p.text("location")
	code, err := strconv.Atoi(text)
	switch {
	case err != nil:
		p.faultf("status: %q is not a code; ask for one as in /status/503", text)
	case code < 200 || code > 599:
		p.faultf("status: %d is not between 200 and 599", code)
	case location != "" && code/100 != 3:
		p.faultf("location: only a redirect (300 to 399) has one, %d is none", code)
	}
	if !p.ok(w) {
		return
	}
	if location != "" {
		w.Header().Set("Location", location)
	}
	answerCode(w, code)
}

// answerCode leaves out the body where HTTP forbids one (RFC 9110, sections 15.3.5 and 15.4.5).
func answerCode(w http.ResponseWriter, code int) {
	if code == http.StatusNoContent || code == http.StatusNotModified {
		w.WriteHeader(code)
		return
	}
	sendText(w, code, strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code))))
}

// fail fails a share of its requests (rate, 0 to 1, default 1) and greets the others. How it fails:
//
//	status    an answer with ?status= (400 to 599, default 500)
//	close     the connection closes without an answer
//	truncate  half of the promised body, then the connection closes
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

// hangUp closes the connection (HTTP/1.1) or resets the stream (HTTP/2) without finishing the answer.
func hangUp() {
	panic(http.ErrAbortHandler) //nolint:forbidigo // it is how net/http wants to be told, and the only way that works for HTTP/2 too
}
