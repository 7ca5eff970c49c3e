package watch

import (
	"context"
	"time"
)

// Settle waits after a first signal until there is no other signal for quiet, but at most limit in
// total. It returns early if ctx ends. One `kubectl apply` can change several objects, and one
// table is enough for them.
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
