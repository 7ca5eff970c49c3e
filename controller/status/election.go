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

// Run stands for election until ctx ends, and writes while elected. When ctx ends and we hold the Lease, it takes back the
// status if no other replica is left, and gives the Lease up, so that the next holder need not wait for it to run out
// (https://kubernetes.io/docs/concepts/architecture/leases/).
func (r *Reporter) Run(ctx context.Context) error {
	// The work outlives ctx by the time it takes to leave in good order.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	source := r.newAddressSource()
	if !r.startSource(ctx, work, source) {
		return nil
	}
	defer source.stop()
	defer stop() // before the source is waited for

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

// startSource tries until it works or ctx ends: without it there is no status, but requests are served all the same.
func (r *Reporter) startSource(ctx, work context.Context, source addressSource) bool {
	for {
		err := source.start(work, r.Wake)
		if err == nil {
			return true
		}
		r.o.Log.Warn("cannot find out the addresses for the status, will try again", "error", err, "after", startPause)
		select {
		case <-time.After(startPause):
		case <-ctx.Done():
			return false
		}
	}
}

// startPause is the wait between two tries of startSource.
const startPause = 5 * time.Second

// elect competes for the Lease again and again until ctx ends; losing it, to a slow API server for example, is no reason
// to stop serving.
func (r *Reporter) elect(ctx context.Context, source addressSource) error {
	for ctx.Err() == nil {
		// The elector starts the work in a goroutine that it does not wait for.
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

// electionConfig derives the time-outs from the duration of the Lease in the proportions that Kubernetes' own components
// use: 15 s, 10 s, 2 s.
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
