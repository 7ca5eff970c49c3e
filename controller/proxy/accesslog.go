package proxy

import (
	"encoding/json"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// flushEvery is how long a line may wait in memory.
	flushEvery = 100 * time.Millisecond
	// enoughPending is how much is written without waiting for more, in bytes.
	enoughPending = 256 << 10
	// maxPending bounds the memory for lines when nobody reads them, in bytes. Lines beyond it are dropped and counted: a
	// stuck log collector must not hold up requests.
	maxPending = 4 << 20
)

// LogFormat is how a request is written into the AccessLog.
type LogFormat int32

const (
	// LogJSON is one JSON object a line.
	LogJSON LogFormat = iota
	// LogCombined is the format that nginx and Apache call combined.
	LogCombined
	// LogOff writes nothing.
	LogOff
)

// ParseLogFormat knows "json", "combined" and "off"; ok is false for anything else.
func ParseLogFormat(name string) (format LogFormat, ok bool) {
	switch name {
	case "json":
		return LogJSON, true
	case "combined":
		return LogCombined, true
	case "off":
		return LogOff, true
	}
	return LogJSON, false
}

// AccessLog writes one line for every request, as JSON unless SetFormat says otherwise. Requests only append to memory; a
// goroutine of its own does the writing.
type AccessLog struct {
	to     io.Writer
	format atomic.Int32 // a LogFormat

	mu      sync.Mutex
	pending []byte
	spare   []byte
	dropped uint64
	closed  bool

	wake  chan struct{} // there is something to write
	hurry chan struct{} // and it should not wait for more
	done  chan struct{}
}

// NewAccessLog starts a log that writes to w. Close ends it.
func NewAccessLog(w io.Writer) *AccessLog {
	l := &AccessLog{to: w, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run()
	return l
}

// SetFormat changes the format from the next record on.
func (l *AccessLog) SetFormat(f LogFormat) { l.format.Store(int32(f)) }

// Write appends a record, unless its Ingress does not want that. It never waits for the writer behind the log.
func (l *AccessLog) Write(r *Record) {
	format := LogFormat(l.format.Load())
	if format == LogOff || r.Unlogged {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.pending) > maxPending {
		l.dropped++
		return
	}
	first := len(l.pending) == 0
	if format == LogCombined {
		l.pending = appendCombined(l.pending, r)
	} else {
		l.pending = appendRecord(l.pending, r)
	}
	if first {
		signal(l.wake)
	}
	if len(l.pending) > enoughPending {
		signal(l.hurry)
	}
}

// Dropped is the number of records that were lost because nobody read the log.
func (l *AccessLog) Dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// Close writes what is pending and ends the log. Records that come later are dropped.
func (l *AccessLog) Close() {
	l.mu.Lock()
	l.closed = true
	signal(l.wake)
	signal(l.hurry)
	l.mu.Unlock()
	<-l.done
}

func signal(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// run writes a batch, then lets the next one gather.
func (l *AccessLog) run() {
	defer close(l.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for range l.wake {
		batch, closed := l.take()
		if len(batch) > 0 {
			_, _ = l.to.Write(batch) // there is nowhere to report that stdout is gone
		}
		if closed {
			return
		}
		l.giveBack(batch)
		pause.Reset(flushEvery)
		select {
		case <-pause.C:
		case <-l.hurry:
		}
	}
}

func (l *AccessLog) take() (batch []byte, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch, l.pending, l.spare = l.pending, l.spare[:0], nil
	return batch, l.closed
}

func (l *AccessLog) giveBack(batch []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spare = batch[:0]
}

// appendRecord writes the fields in a fixed order, those that are always there first. Times are UTC, RFC 3339 with
// milliseconds; durations are milliseconds.
func appendRecord(b []byte, r *Record) []byte {
	b = append(b, `{"time":"`...)
	b = r.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, '"')
	b = appendField(b, "method", r.Method)
	b = appendField(b, "host", r.Host)
	b = appendField(b, "path", r.Path)
	b = appendField(b, "protocol", r.Protocol)
	b = append(b, `,"tls":`...)
	b = strconv.AppendBool(b, r.TLS)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, r.BytesOut, 10)
	b = append(b, `,"bytes_in":`...)
	b = strconv.AppendInt(b, r.BytesIn, 10)
	b = append(b, `,"duration_ms":`...)
	b = strconv.AppendFloat(b, float64(r.Duration)/float64(time.Millisecond), 'f', 3, 64)
	b = appendField(b, "client", r.Client)
	b = append(b, `,"tries":`...)
	b = strconv.AppendInt(b, int64(r.Tries), 10)
	b = appendField(b, "request_id", r.RequestID)
	for _, optional := range [...]struct{ name, value string }{
		{"user", r.User}, {"ingress", r.Ingress}, {"rule", r.Rule}, {"service", r.Service},
		{"endpoint", r.Endpoint}, {"pod", r.Pod}, {"reason", r.Reason},
	} {
		if optional.value != "" {
			b = appendField(b, optional.name, optional.value)
		}
	}
	return append(b, "}\n"...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(value) // a string always has a JSON form
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, value...)
	return append(b, '"')
}
