package workload

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxEvents = 100_000
	maxBytes  = 1 << 30
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
		if _, err := fmt.Fprintf(w, event, i, n); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
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
