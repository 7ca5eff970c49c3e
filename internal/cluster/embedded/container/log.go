package container

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// maxLine is how long a line in a log can be; longer ones are split (containerd's and CRI-O's default).
const maxLine = 16 << 10

// logger writes lines of the streams of a container in the format that kubelets read:
// "2026-11-21T17:52:53.123456789Z stdout F text\n", with P for a part of a line
// (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md).
type logger struct {
	mu sync.Mutex
	to io.WriteCloser
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
	_, _ = l.to.Write(lines) // see stream.write
}

func (l *logger) close() {
	if l.to != nil {
		_ = l.to.Close() // see stream.write
	}
}
