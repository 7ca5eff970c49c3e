package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// leases keep directories of the store from being removed while containers use them, with one open file for each
// directory, however many containers there are. The kernel ends them with the process, however it ends.
type leases struct {
	mu   sync.Mutex
	held map[string]*lease
}

type lease struct {
	file  *os.File
	users int
}

// take keeps directories until release is called. It fails if one is not there (any more).
func (l *leases) take(dirs []string) (release func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, d := range dirs {
		if err := l.add(d); err != nil {
			l.drop(dirs[:i])
			return nil, err
		}
	}
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.drop(dirs)
	}), nil
}

func (l *leases) add(dir string) error {
	if have := l.held[dir]; have != nil {
		have.users++
		return nil
	}
	f, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("%s is being removed", dir), f.Close())
	}
	// Between our opening and locking it may have been removed.
	mine, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if theirs, err := os.Stat(dir); err != nil || !os.SameFile(mine, theirs) {
		return errors.Join(fmt.Errorf("%s is being removed", dir), f.Close())
	}
	if l.held == nil {
		l.held = map[string]*lease{}
	}
	l.held[dir] = &lease{file: f, users: 1}
	return nil
}

func (l *leases) drop(dirs []string) {
	for _, d := range dirs {
		have := l.held[d]
		if have.users--; have.users == 0 {
			_ = have.file.Close() // only locked
			delete(l.held, d)
		}
	}
}
