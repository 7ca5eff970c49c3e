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
	// maxStreams is the maximum number of open event streams. Further pages get 503 and try again.
	maxStreams = 32
	// figuresEvery is the interval at which a stream checks statistics and sends those that
	// changed.
	figuresEvery = time.Second
	// silence is the time without an event after which a stream sends a comment, so that proxies do
	// not close the connection
	// (https://html.spec.whatwg.org/multipage/server-sent-events.html#authoring-notes).
	silence = 15 * time.Second
	// writeTimeout is the time limit for one write, after which the stream ends.
	writeTimeout = 10 * time.Second
)

// changes notifies streams of new tables.
type changes struct {
	mu     sync.Mutex
	serial uint64
	next   chan struct{} // closed by the next change
}

// announce wakes all waiting streams.
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
	// sent are the statistics that the client has. last is the time of the last write.
	sent map[string]string
	last time.Time
}

// serveEvents sends server-sent events until the client disconnects. The event "table" has the
// number of a change. It is sent at the start and after every change. The event "figures" has the
// statistics that changed, at most once a second.
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

// sendFigures sends the statistics that changed, or a comment after a long silence.
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

// send writes one event. Its data must be one line.
func (s *stream) send(event, data string) error {
	return s.write("event: " + event + "\ndata: " + data + "\n\n")
}

// write sends a text at once. A time limit for each write replaces the server's limit for the whole
// response.
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

// figures returns the texts of a page that change without a new table, by name. The page has an
// element with the attribute data-figure for each name.
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

// figureName returns the prefix of the names of an endpoint's statistics.
func figureName(pool *Pool, e Endpoint) string { return pool.Service + " " + e.Address }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
