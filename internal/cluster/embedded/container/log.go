package container

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"time"
)

// maxLine is how long a line in a log can be; longer ones are split (containerd's and CRI-O's default).
const maxLine = 16 << 10

// logger writes lines of the streams of a container in the format that kubelets read:
// "2026-11-21T17:52:53.123456789Z stdout F text\n", with P for a part of a line
// (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md).
//
// A log does not grow for ever: it would fill the disk that the cluster's data is on, too. When it has maxLog bytes the next
// one takes its place, as with kubelets; whoever has the old one open reads it to its end.
type logger struct {
	mu   sync.Mutex
	path string
	to   *os.File // nil drops everything
	size int64
	// bounded is false for what is no file, and for a log whose successor cannot be made.
	bounded bool
}

// maxLog is a kubelet's containerLogMaxSize unless it is told otherwise.
const maxLog = 10 << 20

// open appends to the log at path, or begins it.
func (l *logger) open(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.path, l.to, l.size, l.bounded = path, f, info.Size(), info.Mode().IsRegular()
	return nil
}

// rotate begins the next log. If that fails the old one goes on.
func (l *logger) rotate() {
	next := l.path + ".next"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o640)
	if err == nil {
		if err = os.Rename(next, l.path); err != nil {
			_ = f.Close() // it is empty
		}
	}
	if err != nil {
		l.bounded = false
		return
	}
	_ = l.to.Close() // see stream.write
	l.to, l.size = f, 0
}

// stream writes what one stream of the container says. It is used by one goroutine.
type stream struct {
	log  *logger
	name string
	// rest is the beginning of a line that has no end yet.
	rest []byte
}

// write takes what was read at once. A log that cannot be written, on a full disk, must not stop the container.
func (s *stream) write(p []byte) {
	now := time.Now()
	s.rest = append(s.rest, p...)
	var out []byte
	for {
		i := bytes.IndexByte(s.rest, '\n')
		switch {
		case i >= 0 && i <= maxLine:
			out = s.line(out, now, "F", s.rest[:i])
			s.rest = s.rest[i+1:]
		case len(s.rest) > maxLine:
			out = s.line(out, now, "P", s.rest[:maxLine])
			s.rest = s.rest[maxLine:]
		default:
			s.rest = append([]byte(nil), s.rest...) // let go of the long one it is the end of
			s.log.write(out)
			return
		}
	}
}

// end writes a last line that was not ended.
func (s *stream) end() {
	if len(s.rest) > 0 {
		s.log.write(s.line(nil, time.Now(), "F", s.rest))
		s.rest = nil
	}
}

func (s *stream) line(out []byte, now time.Time, tag string, text []byte) []byte {
	out = now.UTC().AppendFormat(out, time.RFC3339Nano)
	out = append(out, ' ')
	out = append(out, s.name...)
	out = append(out, ' ')
	out = append(out, tag...)
	out = append(out, ' ')
	out = append(out, text...)
	return append(out, '\n')
}

func (l *logger) write(lines []byte) {
	if l.to == nil || len(lines) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bounded && l.size > 0 && l.size+int64(len(lines)) > maxLog {
		l.rotate()
	}
	n, _ := l.to.Write(lines) // see stream.write
	l.size += int64(n)
}

func (l *logger) close() {
	if l.to != nil {
		_ = l.to.Close() // see stream.write
	}
}
