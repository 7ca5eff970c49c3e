package container

import (
	"bytes"
	"io"
	"sync"
)

// audience hears a stream of a container as it is said. A listener that is slow holds the container up, as with a pipe; one
// that cannot be reached any more is dropped.
type audience struct {
	mu      sync.Mutex
	over    bool
	members map[*listener]struct{}
	// keep is that the first listener is told what was said before it came, the end of which is in early: a program that asks
	// its question, or is done, before `kubectl run -it` has attached would seem to say nothing.
	keep  bool
	early []byte
}

// mostEarly is how much is kept for the first listener.
const mostEarly = 64 << 10

// listener is a writer with a goroutine of its own: whatever a write to it does, leaving does not wait for it.
type listener struct {
	in *io.PipeWriter
	// heard is closed when the writer has everything there was until it left, or cannot take it.
	heard chan struct{}
}

// join adds a writer; nil is one that wants nothing.
func (a *audience) join(w io.Writer) *listener {
	if w == nil {
		w = io.Discard
	}
	r, in := io.Pipe()
	l := &listener{in: in, heard: make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	early := a.early
	a.keep, a.early = false, nil
	go func() {
		defer close(l.heard)
		_, err := io.Copy(w, io.MultiReader(bytes.NewReader(early), r))
		_ = r.CloseWithError(err) // whoever writes learns why
	}()
	if a.over {
		_ = in.Close() // it cannot fail
		return l
	}
	if a.members == nil {
		a.members = map[*listener]struct{}{}
	}
	a.members[l] = struct{}{}
	return l
}

// leave drops a listener, also one that a write is waiting for.
func (a *audience) leave(l *listener) {
	_ = l.in.Close() // it cannot fail
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.members, l)
}

func (a *audience) write(p []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keep {
		a.early = append(a.early, p...)
		a.early = a.early[max(0, len(a.early)-mostEarly):]
	}
	for l := range a.members {
		if _, err := l.in.Write(p); err != nil {
			delete(a.members, l)
		}
	}
}

// end says that there will be nothing more.
func (a *audience) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	for l := range a.members {
		_ = l.in.Close() // it cannot fail
	}
	a.members = nil
}
