package container

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// maxLine is the length in bytes at which log lines are split. containerd and CRI-O use the same.
const maxLine = 16 << 10

// logger writes output lines in the CRI log format: "2026-11-21T17:52:53.123456789Z stdout F
// text\n", with P for a partial line
// (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md).
//
// Like a kubelet, it starts a new log after maxLog bytes. Readers of the old log are unaffected.
type logger struct {
	mu      sync.Mutex
	path    string
	to      *os.File // if nil, all output is discarded
	size    int64
	bounded bool // true for a regular file, until a rotation fails
}

// maxLog is the maximum size of a log in bytes, the default of a kubelet's containerLogMaxSize.
const maxLog = 10 << 20

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

func (l *logger) rotate() {
	next := l.path + ".next"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o640)
	if err == nil {
		if err = os.Rename(next, l.path); err != nil {
			_ = f.Close() // empty
		}
	}
	if err != nil {
		l.bounded = false
		return
	}
	_ = l.to.Close() // see stream.write
	l.to, l.size = f, 0
}

// stream writes one output stream to a log, from one goroutine.
type stream struct {
	log  *logger
	name string
	rest []byte // an incomplete line
}

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
			s.rest = bytes.Clone(s.rest) // release the larger buffer
			s.log.write(out)
			return
		}
	}
}

func (s *stream) end() {
	if len(s.rest) > 0 {
		s.log.write(s.line(nil, time.Now(), "F", s.rest))
		s.rest = nil
	}
}

func (s *stream) line(out []byte, now time.Time, tag string, text []byte) []byte {
	return fmt.Appendf(out, "%s %s %s %s\n", now.UTC().Format(time.RFC3339Nano), s.name, tag, text)
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
