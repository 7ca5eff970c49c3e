package dashboard

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// maxStreams limits the pages that get events at a time. Another page gets 503 and tries again.
	maxStreams = 32
	// figuresEvery is how often the figures of a page are looked at. What has not changed is not
	// sent.
	figuresEvery = time.Second
	// silence is how long a stream may say nothing before a comment goes out, so that whatever is
	// in between sees that it is alive
	// (https://html.spec.whatwg.org/multipage/server-sent-events.html#authoring-notes).
	silence = 15 * time.Second
	// writeTimeout bounds one write: a reader that takes nothing for so long is gone.
	writeTimeout = 10 * time.Second
)

// changes notifies streams of new tables.
type changes struct {
	mu     sync.Mutex
	serial uint64
	next   chan struct{} // closed by the next change
}

// announce wakes all streams that wait.
func (c *changes) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}

// current returns the number of the latest change, and a channel that the next change closes.
func (c *changes) current() (serial uint64, next <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.serial, c.next
}

// stream sends events to one page.
type stream struct {
	to      http.ResponseWriter
	control *http.ResponseController
	filter  string
	// sent are the figures as the reader knows them, last is when it was sent anything.
	sent map[string]string
	last time.Time
}

// serveEvents sends server-sent events for as long as the reader stays: "table" with the number of
// a change, at once and whenever a table is swapped in, and "figures" with those of the page's
// figures that are new, once a second at most.
func (d *Dashboard) serveEvents(w http.ResponseWriter, r *http.Request) {
	select {
	case d.streams <- struct{}{}:
		defer func() { <-d.streams }()
	default:
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d pages already get events; close one, or try again later", maxStreams), http.StatusServiceUnavailable)
		return
	}
	s := &stream{to: w, control: http.NewResponseController(w), filter: r.FormValue("filter"), last: time.Now()}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // the page may be reached through an Ingress of ingress-nginx
	ticker := time.NewTicker(figuresEvery)
	defer ticker.Stop()
	first := make(chan struct{})
	close(first)
	for changed := (<-chan struct{})(first); ; {
		var err error
		select {
		case <-changed:
			var serial uint64
			serial, changed = d.changes.current()
			err = s.send("table", strconv.FormatUint(serial, 10))
		case <-ticker.C:
			err = s.sendFigures(d.source)
		case <-r.Context().Done():
			return
		}
		if err != nil {
			return // the client closed the connection
		}
	}
}

// sendFigures sends the figures that are not what was sent last, or after a long silence a comment.
func (s *stream) sendFigures(source Source) error {
	now := source.figures(source.overview(s.filter))
	fresh := maps.Clone(now)
	maps.DeleteFunc(fresh, func(name, text string) bool { return s.sent[name] == text })
	s.sent = now
	if len(fresh) > 0 {
		data, err := json.Marshal(fresh)
		if err != nil {
			return err
		}
		return s.send("figures", string(data))
	}
	if time.Since(s.last) > silence {
		return s.write(": still here\n\n")
	}
	return nil
}

// send writes one event; its data is one line.
func (s *stream) send(event, data string) error {
	return s.write("event: " + event + "\ndata: " + data + "\n\n")
}

// write sends a text at once. The server's own time-out for a whole answer gives way to one for
// each write.
func (s *stream) write(text string) error {
	s.last = time.Now()
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := s.to.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}

// figures are the texts of a page that change without a new table, by name. The page has each in an
// element that carries the name as data-figure.
func (s Source) figures(o overview) map[string]string {
	traffic, state := s.Traffic(), s.State()
	figures := map[string]string{
		"requests":    strconv.FormatUint(traffic.Requests, 10),
		"connections": strconv.FormatInt(traffic.Active, 10),
		"leading":     yes(state.Leading),
	}
	for _, pool := range o.Pools {
		for _, e := range pool.Endpoints {
			name := figureName(pool, e)
			figures[name+" in flight"] = strconv.FormatInt(e.InFlight, 10)
			figures[name+" requests"] = strconv.FormatUint(e.Requests, 10)
			figures[name+" failures"] = strconv.FormatUint(e.Failures, 10)
			figures[name+" avoided"] = when(e.Avoided, "failed just now")
		}
	}
	return figures
}

// figureName begins the names of the figures of an endpoint.
func figureName(pool *Pool, e Endpoint) string { return pool.Service + " " + e.Address }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
