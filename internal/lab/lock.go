package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/adrg/xdg"

	"github.com/ingresslab/ingresslab/internal/filelock"
)

// BusyError says that somebody else goes through the lab in the same cluster right now.
type BusyError struct {
	Number  int
	Cluster string
	// File is the lock that the other one holds.
	File string
}

// Error says what to do about it.
func (e *BusyError) Error() string {
	return fmt.Sprintf("lab %d is being run in cluster %s by another process, which holds %s: wait for it, or end it", e.Number, e.Cluster, e.File)
}

// Lock makes this process the only one of this user that goes through the lab in a cluster, which is named as kind-mine is. The
// error is a *BusyError if there is another one. The kernel lets go of the lock when its holder dies, however it dies.
func Lock(l *Lab, clusterName string) (release func(), err error) {
	file := filepath.Join(xdg.StateHome, "ingresslab", "labs", fmt.Sprintf("%s-lab-%d.lock", filepath.Base(clusterName), l.Number))
	busy := &BusyError{Number: l.Number, Cluster: clusterName, File: file}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	release, err = filelock.Acquire(ctx, file, func() { cancel(busy) })
	if errors.Is(err, busy) {
		return nil, busy
	}
	return release, err
}
