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

// BusyError says that somebody else goes through the lab in the same cluster right now.
type BusyError struct {
	// Lab is the lab's name.
	Lab     string
	Cluster string
	// Beside is the lab that cannot begin, for Lab would have to be removed for it; empty if it is Lab that cannot.
	Beside string
	// Holder says who: "`ingresslab learn` (process 4711, since 14:05:09)"; empty if that is not known.
	Holder string
	// File is the lock that the other one holds.
	File string
}

// Error says what to do about it.
func (e *BusyError) Error() string {
	why := "two would undo each other's work"
	if e.Beside != "" {
		why = fmt.Sprintf("lab %s can only begin when it is removed", e.Beside)
	}
	return fmt.Sprintf("lab %s in cluster %s is in use by %s, and %s: end it first, or use another cluster (--name)",
		e.Lab, e.Cluster, cmp.Or(e.Holder, "another process, which holds "+e.File), why)
}

// held are the lock files of this process: what it holds for one lab is not in the way of its others.
var held sync.Map

// Lock makes this process the only one of this user that changes the lab in the cluster of a name. verb is what it does: "learn",
// "lab"; the others are told. The error is a *BusyError if there is another one. The kernel lets go of the lock when its holder dies,
// however it dies.
func Lock(l *Lab, clusterName, verb string) (release func(), err error) {
	return lock(l.Name, clusterName, "`ingresslab "+verb+"`")
}

func lock(name, clusterName, who string) (release func(), err error) {
	file := lockFile(name, clusterName)
	busy := &BusyError{Lab: name, Cluster: clusterName, File: file}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	letGo, err := filelock.Acquire(ctx, file, func() { cancel(busy) })
	if errors.Is(err, busy) {
		if holder, err := os.ReadFile(filepath.Clean(file)); err == nil {
			busy.Holder = strings.TrimSpace(string(holder))
		}
		return nil, busy
	}
	if err != nil {
		return nil, err
	}
	held.Store(file, true)
	release = func() {
		held.Delete(file)
		letGo()
	}
	holder := fmt.Sprintf("%s (process %d, since %s)\n", who, os.Getpid(), time.Now().Format(time.TimeOnly))
	if err := os.WriteFile(file, []byte(holder), 0o600); err != nil {
		release()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return release, nil
}

// lockToRemove keeps others from beginning with a lab while it is removed for this session's. The error is a *BusyError if somebody
// is at it.
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

// lockFile has both names with a character between them that neither can have.
func lockFile(name, clusterName string) string {
	return filepath.Join(xdg.StateHome, "ingresslab", "labs", fmt.Sprintf("%s_%s.lock", filepath.Base(clusterName), filepath.Base(name)))
}
