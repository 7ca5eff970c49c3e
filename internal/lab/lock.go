package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/adrg/xdg"

	"github.com/ingresslab/ingresslab/internal/filelock"
)

// BusyError says that somebody else goes through the lab in the same cluster right now.
type BusyError struct {
	Number  int
	Cluster string
	// Holder says who: "`ingresslab learn` (process 4711, since 14:05:09)"; empty if that is not known.
	Holder string
	// File is the lock that the other one holds.
	File string
}

// Error says what to do about it.
func (e *BusyError) Error() string {
	return fmt.Sprintf("lab %d in cluster %s is in use by %s, and two would undo each other's work: end it first, or use another cluster (--name)",
		e.Number, e.Cluster, cmp.Or(e.Holder, "another process, which holds "+e.File))
}

// Lock makes this process the only one of this user that changes the lab in the cluster of a name. verb is what it does: "learn",
// "lab"; the others are told. The error is a *BusyError if there is another one. The kernel lets go of the lock when its holder dies,
// however it dies.
func Lock(l *Lab, clusterName, verb string) (release func(), err error) {
	file := filepath.Join(xdg.StateHome, "ingresslab", "labs", fmt.Sprintf("%s-lab-%d.lock", filepath.Base(clusterName), l.Number))
	busy := &BusyError{Number: l.Number, Cluster: clusterName, File: file}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	release, err = filelock.Acquire(ctx, file, func() { cancel(busy) })
	if errors.Is(err, busy) {
		if holder, err := os.ReadFile(filepath.Clean(file)); err == nil {
			busy.Holder = strings.TrimSpace(string(holder))
		}
		return nil, busy
	}
	if err != nil {
		return nil, err
	}
	holder := fmt.Sprintf("`ingresslab %s` (process %d, since %s)\n", verb, os.Getpid(), time.Now().Format(time.TimeOnly))
	if err := os.WriteFile(file, []byte(holder), 0o600); err != nil {
		release()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return release, nil
}
