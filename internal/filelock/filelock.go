// Package filelock locks a file, so that two processes don't create the same cluster or write the
// same binary. The kernel releases a lock when its holder exits, so no lock is ever stale.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// poll is the pause before the next attempt to take a lock that another process holds.
const poll = 100 * time.Millisecond

// Acquire takes the lock at path and creates its directory. If another process holds the lock,
// Acquire calls waiting once and waits until ctx ends. release removes the file.
func Acquire(ctx context.Context, path string, waiting func()) (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for first := true; ; first = false {
		lock := flock.New(path, flock.SetPermissions(0o600))
		locked, err := lock.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// The former holder can remove the file after TryLock opens it. Such a lock protects
		// nothing.
		if locked && isAt(lock, path) {
			return func() { _ = errors.Join(os.Remove(path), lock.Close()) }, nil // at worst, an empty file remains
		}
		_ = lock.Close() // nothing was written, so no data is lost
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

// isAt reports whether the locked file is still the one at path.
func isAt(lock *flock.Flock, path string) bool {
	locked, err := lock.Stat()
	var current fs.FileInfo
	if err == nil {
		current, err = os.Stat(path)
	}
	return err == nil && os.SameFile(locked, current)
}
