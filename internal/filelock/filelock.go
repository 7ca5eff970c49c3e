// Package filelock keeps two runs of the lab from doing the same thing at the
// same time: creating one cluster, writing one binary. The kernel lets go of a
// lock when its holder dies, however it dies, so none is ever stale.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// poll is how often a lock that somebody else holds is tried again.
const poll = 100 * time.Millisecond

// Acquire takes the lock that the file at path stands for; its directory is
// made if need be. If somebody else holds it, waiting is called once, and
// Acquire waits until it is free or ctx ends. release lets go and removes the
// file.
func Acquire(ctx context.Context, path string, waiting func()) (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for first := true; ; first = false {
		f, err := try(path)
		if err == nil {
			return func() { letGo(f, path) }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if first {
			waiting()
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// try takes the lock or fails with EWOULDBLOCK. The file may be removed by its
// former holder between our opening and locking it; then the lock is on a file
// that nobody else will find, and counts for nothing.
func try(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	mine, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if theirs, err := os.Stat(path); err != nil || !os.SameFile(mine, theirs) {
		return nil, errors.Join(unix.EWOULDBLOCK, f.Close())
	}
	return f, nil
}

// letGo removes the file while the lock is still held, so that nothing is left
// behind, and then lets go.
func letGo(f *os.File, path string) {
	_ = os.Remove(path) // worst case: an empty file stays
	_ = f.Close()
}
