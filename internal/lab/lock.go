package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/adrg/xdg"

	"github.com/ingresslab/ingresslab/internal/filelock"
)

// BusyError reports that another process uses the lab in the same cluster.
type BusyError struct {
	Lab     string // Lab is the lab's name
	Cluster string
	// Beside is the lab that must remove Lab before it can start. It is empty if Lab itself cannot
	// start.
	Beside string
	// Holder is the other process, such as "`ingresslab learn` (process 4711, since 14:05:09)".
	Holder string
	File   string // File is the lock file
}

// Error names the other process, and what the user can do.
func (e *BusyError) Error() string {
	reason := "only one process can change a lab at a time"
	if e.Beside != "" {
		reason = fmt.Sprintf("lab %s must remove it before it can start", e.Beside)
	}
	return fmt.Sprintf("lab %s in cluster %s is in use by %s, and %s; quit that process, or use another cluster (--name)",
		e.Lab, e.Cluster, cmp.Or(e.Holder, "another process, which holds "+e.File), reason)
}

// held are the lock files of this process. They do not block other labs in the same process.
var held sync.Map

// Lock locks the lab in a cluster for this process. command, such as "learn", is part of the error
// for other processes, a *BusyError. The kernel releases the lock when the process ends.
func Lock(l *Lab, clusterName, command string) (release func(), err error) {
	return lock(l.Name, clusterName, "`ingresslab "+command+"`")
}

func lock(name, clusterName, holder string) (release func(), err error) {
	file := lockFile(name, clusterName)
	busy := &BusyError{Lab: name, Cluster: clusterName, File: file}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	unlock, err := filelock.Acquire(ctx, file, func() { cancel(busy) })
	if errors.Is(err, busy) {
		if other, err := os.ReadFile(filepath.Clean(file)); err == nil {
			busy.Holder = strings.TrimSpace(string(other))
		}
		return nil, busy
	}
	if err != nil {
		return nil, err
	}
	held.Store(file, true)
	release = func() {
		held.Delete(file)
		unlock()
	}
	holder = fmt.Sprintf("%s (process %d, since %s)\n", holder, os.Getpid(), time.Now().Format(time.TimeOnly))
	if err := os.WriteFile(file, []byte(holder), 0o600); err != nil {
		release()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return release, nil
}

// lockToRemove locks another lab while this session removes it. The error is a *BusyError if the
// lab is in use.
func (s *Session) lockToRemove(name string) (release func(), err error) {
	if _, isOurs := held.Load(lockFile(name, s.env.Cluster)); isOurs || s.env.Cluster == "" {
		return func() {}, nil
	}
	release, err = lock(name, s.env.Cluster, "lab "+s.lab.Name+", which removes it")
	var busy *BusyError
	if errors.As(err, &busy) {
		busy.Beside = s.lab.Name
	}
	return release, err
}

// lockFile returns the path of a lock. Names cannot contain an underscore, so it can separate them.
func lockFile(name, clusterName string) string {
	return filepath.Join(xdg.StateHome, "ingresslab", "labs", fmt.Sprintf("%s_%s.lock", filepath.Base(clusterName), filepath.Base(name)))
}
