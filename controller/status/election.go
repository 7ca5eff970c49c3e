package status

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Run competes for the Lease until ctx ends, and writes while it holds the Lease. At the end, the
// holder clears the status if no other replica is left. It then releases the Lease, so that the
// next holder does not wait until it expires
// (https://kubernetes.io/docs/concepts/architecture/leases/).
func (r *Reporter) Run(ctx context.Context) error {
	// work stays valid after ctx ends, until the cleanup is complete.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	source := r.newAddressSource()
	if !r.startSource(ctx, work, source) {
		return nil
	}
	defer source.stop()
	defer stop() // before source.stop, which waits

	done := make(chan error, 1)
	go func() { done <- r.elect(work, source) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	if r.Leading() {
		r.withdraw(work, source)
	}
	stop()
	return <-done
}

// startSource retries until it succeeds or ctx ends. Without a source there is no status, but the
// controller still serves requests.
func (r *Reporter) startSource(ctx, work context.Context, source addressSource) bool {
	for {
		err := source.start(work, r.Wake)
		if err == nil {
			return true
		}
		r.o.Log.Warn("cannot find the addresses for the status, retrying", "error", err, "after", startPause)
		select {
		case <-time.After(startPause):
		case <-ctx.Done():
			return false
		}
	}
}

// startPause is the wait between two attempts of startSource.
const startPause = 5 * time.Second

// elect competes for the Lease repeatedly until ctx ends. A replica that loses the Lease, for
// example because the API server is slow, keeps serving.
func (r *Reporter) elect(ctx context.Context, source addressSource) error {
	for ctx.Err() == nil {
		// The elector starts the callback in a goroutine, and does not wait for it.
		var term sync.Mutex
		over := false
		elector, err := leaderelection.NewLeaderElector(r.electionConfig(func(lead context.Context) {
			term.Lock()
			defer term.Unlock()
			if !over {
				r.lead(lead, source)
			}
		}))
		if err != nil {
			return fmt.Errorf("leader election: %w", err)
		}
		elector.Run(ctx)
		term.Lock()
		over = true
		term.Unlock()
	}
	return nil
}

// electionConfig derives the timeouts from the duration of the Lease, in the proportions of
// Kubernetes components: 15 s, 10 s, 2 s.
func (r *Reporter) electionConfig(lead func(context.Context)) leaderelection.LeaderElectionConfig {
	return leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: r.o.PodNamespace, Name: r.o.LeaseName},
			Client:     r.o.Client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: r.o.Identity},
		},
		Name:            r.o.LeaseName,
		LeaseDuration:   r.o.LeaseDuration,
		RenewDeadline:   r.o.LeaseDuration * 2 / 3,
		RetryPeriod:     r.o.LeaseDuration * 2 / 15,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: lead,
			OnStoppedLeading: func() {},
		},
	}
}
