package watch

import (
	"context"
	"time"
)

// Settle is called after a first signal. It waits until none has followed for the time of quiet, but no longer than the
// time of limit altogether, and returns earlier when ctx ends: one kubectl apply brings several objects, and one table is
// enough for them.
func Settle[T any](ctx context.Context, signals <-chan T, quiet, limit time.Duration) {
	pause, latest := time.NewTimer(quiet), time.NewTimer(limit)
	defer pause.Stop()
	defer latest.Stop()
	for {
		select {
		case <-signals:
			pause.Reset(quiet)
		case <-pause.C:
			return
		case <-latest.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
