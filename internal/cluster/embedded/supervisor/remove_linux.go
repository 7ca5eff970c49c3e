package supervisor

import (
	"context"
	"os"
	"time"

	"github.com/ingresslab/ingresslab/internal/filelock"
)

const (
	// removeTimeout bounds the removal of a directory that nobody wants.
	removeTimeout = 10 * time.Second
	// removePoll is how long to wait before trying again: somebody who is about to end may still be writing.
	removePoll = 20 * time.Millisecond
)

// remove removes the cluster's directory. The lock keeps another command from taking the remains for its own; a starter
// that lives and holds it removes them itself, and this process with them.
func (s *supervisor) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	release, err := filelock.Acquire(ctx, s.Lock, func() {})
	if err != nil {
		s.log("remove %s: %v", s.Dir, err)
		return
	}
	defer release()
	for {
		err := os.RemoveAll(s.Dir)
		if err == nil {
			return
		}
		select {
		case <-time.After(removePoll):
		case <-ctx.Done():
			s.log("remove %s: %v", s.Dir, err)
			return
		}
	}
}
