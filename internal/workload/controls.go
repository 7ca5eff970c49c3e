package workload

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
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

const (
	maxEvents  = 100_000
	maxBytes   = 1 << 30
	maxMessage = 1 << 20 // of a WebSocket message, in bytes
)

// stream sends n events (0 to 100000, default 10), with a pause of every (0s to 5m, default 1s) between them. They are lines, or
// Server-Sent Events with format=sse or if the client accepts them. Each event is flushed, so a late event was buffered by a proxy.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
func stream(w http.ResponseWriter, r *http.Request) {
	p := readParams(r, "stream")
	n := p.number("n", 10, 0, maxEvents)
	every := p.duration("every", time.Second, maxWait)
	format := p.choice("format", "auto", "lines", "sse")
	if !p.ok(w) {
		return
	}
	event, contentType := "event %d of %d\n", "text/plain; charset=utf-8"
	if format == "sse" || format == "auto" && strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		event, contentType = "id: %[1]d\ndata: event %[1]d of %[2]d\n\n", "text/event-stream"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	_ = out.Flush()
	for i := 1; i <= n; i++ {
		if i > 1 && !wait(r, every) {
			return
		}
		_, err := fmt.Fprintf(w, event, i, n)
		if err != nil || out.Flush() != nil {
			return
		}
	}
}

// sendBytes sends n bytes (0 to 1 GiB, default 1024), always the same bytes, with a Content-Length.
func sendBytes(w http.ResponseWriter, r *http.Request) {
	p := readParams(r, "bytes")
	n := p.number("n", 1024, 0, maxBytes)
	if !p.ok(w) {
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(n))
	_, _ = io.CopyN(w, new(letters), int64(n))
}

// letters repeats the alphabet.
type letters struct{ next byte }

func (l *letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a' + l.next
		l.next = (l.next + 1) % 26
	}
	return len(p), nil
}

// upgrade accepts a WebSocket (RFC 6455) that returns every message. When the pod stops, it closes with status 1001, "going away".
func (a *App) upgrade(w http.ResponseWriter, r *http.Request) {
	if !readParams(r, "upgrade").ok(w) {
		return
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		// RFC 9110, section 15.5.22: 426 has an Upgrade header.
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		sendText(w, http.StatusUpgradeRequired, "this path requires a WebSocket; send Upgrade: websocket")
		return
	}
	a.life.upgraded.Add(1)
	defer a.life.upgraded.Done()
	// Any origin can connect, because there is no data to protect. Accept responds to an invalid handshake.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }() // it may be closed already
	conn.SetReadLimit(maxMessage)
	left := make(chan struct{})
	defer close(left)
	go func() {
		select {
		case <-a.life.stopping.Done():
			_ = conn.Close(websocket.StatusGoingAway, "the pod is shutting down")
		case <-left:
		}
	}()
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil || conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}
