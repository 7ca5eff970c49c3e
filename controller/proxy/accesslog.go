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
	// flushInterval is the longest time that a line waits in memory.
	flushInterval = 100 * time.Millisecond
	// flushSize is the size, in bytes, above which pending lines are written immediately.
	flushSize = 256 << 10
	// maxPending bounds the memory for pending lines, in bytes. Lines above it are dropped and
	// counted: a blocked log collector must not block requests.
	maxPending = 4 << 20
)

// LogFormat is the format of an AccessLog.
type LogFormat int32

const (
	// LogJSON writes one JSON object per line.
	LogJSON LogFormat = iota
	// LogCombined writes the combined format of nginx and Apache.
	LogCombined
	// LogOff writes nothing.
	LogOff
)

// ParseLogFormat parses "json", "combined" or "off"; ok is false for any other name.
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

// AccessLog writes one line per request, as JSON unless SetFormat changes the format. Requests
// append to memory; one goroutine writes.
type AccessLog struct {
	to     io.Writer
	format atomic.Int32 // a LogFormat

	mu      sync.Mutex
	pending []byte
	spare   []byte
	dropped uint64
	closed  bool

	wake  chan struct{} // a line is pending
	hurry chan struct{} // write the pending lines immediately
	done  chan struct{}
}

// NewAccessLog starts a log that writes to w. Close stops it.
func NewAccessLog(w io.Writer) *AccessLog {
	l := &AccessLog{to: w, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run()
	return l
}

// SetFormat sets the format of all later records.
func (l *AccessLog) SetFormat(f LogFormat) { l.format.Store(int32(f)) }

// Write appends a record, unless its Ingress disables the access log. It never blocks on the
// writer.
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
	if len(l.pending) > flushSize {
		signal(l.hurry)
	}
}

// Dropped returns the number of records that were dropped because the writer was too slow.
func (l *AccessLog) Dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// Close writes the pending lines and stops the log. Later records are dropped.
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

// run writes a batch of lines, and then waits while the next batch grows.
func (l *AccessLog) run() {
	defer close(l.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for range l.wake {
		batch, closed := l.take()
		if len(batch) > 0 {
			_, _ = l.to.Write(batch) // if stdout fails, the error has nowhere to go
		}
		if closed {
			return
		}
		l.recycle(batch)
		pause.Reset(flushInterval)
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

func (l *AccessLog) recycle(batch []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spare = batch[:0]
}

// appendRecord writes the fields in a fixed order, required fields first. Times are UTC in RFC 3339
// with milliseconds; durations are in milliseconds.
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

// appendCombined writes a record in the combined format, which log analyzers know:
//
//	$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"
//
// See https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format. Times are UTC. As in
// JSON, the request has no query, because queries can contain secrets.
func appendCombined(b []byte, r *Record) []byte {
	b = appendOrDash(b, r.Client)
	b = append(b, " - "...)
	b = appendOrDash(b, r.User)
	b = append(b, " ["...)
	b = r.Time.UTC().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = appendEscaped(b, r.Method)
	b = append(b, ' ')
	b = appendEscaped(b, r.Path)
	b = append(b, ' ')
	b = appendEscaped(b, r.Protocol)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.BytesOut, 10)
	b = append(b, ` "`...)
	b = appendOrDash(b, r.Referer)
	b = append(b, `" "`...)
	b = appendOrDash(b, r.UserAgent)
	return append(b, "\"\n"...)
}

func appendOrDash(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	return appendEscaped(b, s)
}

// appendEscaped writes quotes, backslashes and bytes that are not printable ASCII as \xXX, as nginx
// does. Otherwise a client could inject log lines.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
