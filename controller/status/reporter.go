package status

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	networkinglisters "k8s.io/client-go/listers/networking/v1"

	"github.com/ingresslab/ingresslab/controller/routing"
	"github.com/ingresslab/ingresslab/controller/watch"
)

// Options say who we are and what to publish.
type Options struct {
	Client kubernetes.Interface
	// Ingresses are read from this cache before anything is written.
	Ingresses networkinglisters.IngressLister
	Log       *slog.Logger
	// PodName and PodNamespace are our own pod; PodName is empty outside a cluster. Identity is how we are called in the
	// Lease and in Events.
	PodName, PodNamespace, Identity string
	// LeaseName and LeaseDuration (at least 1 s) are the Lease whose holder writes.
	LeaseName     string
	LeaseDuration time.Duration
	// Service is the Service to copy the address from; Addresses are fixed ones. With neither, the addresses are those of
	// the nodes that run a ready controller pod.
	Service   types.NamespacedName
	Addresses []string
}

const (
	// settleQuiet is the wait between a new table and the writing of its status. A client may send a request the moment an
	// address appears, and it may meet another replica; by then that one has swapped in its table too. Replicas hear of a
	// change at about the same time and take 50 ms at most to act on it.
	settleQuiet = 100 * time.Millisecond
	settleLimit = time.Second
	// After a failed write, try again after retryFirst, then after twice as long each time, up to retryLast.
	retryFirst = 500 * time.Millisecond
	retryLast  = 30 * time.Second
	// remindEvery is how often to compare without a reason: Events that run out are renewed, node addresses looked up again.
	remindEvery = 10 * time.Minute
	// withdrawTimeout bounds the clean-up of the last replica.
	withdrawTimeout = 5 * time.Second
)

// Reporter writes status and Events while it holds the Lease.
type Reporter struct {
	o       Options
	wake    chan struct{}
	leading atomic.Bool

	mu       sync.Mutex
	table    *routing.Table
	problems []routing.Problem
	// former are Ingresses that were ours in an earlier table and are not in this one.
	former map[types.NamespacedName]bool
}

// New makes a Reporter; Run makes it work.
func New(o Options) *Reporter {
	return &Reporter{o: o, wake: make(chan struct{}, 1), former: map[types.NamespacedName]bool{}}
}

// Observe takes note of a table that is live now, and of what is wrong. It never waits.
func (r *Reporter) Observe(table *routing.Table, problems []routing.Problem) {
	r.mu.Lock()
	for _, name := range r.table.Ingresses() {
		r.former[name] = true
	}
	for _, name := range table.Ingresses() {
		delete(r.former, name)
	}
	r.table, r.problems = table, problems
	r.mu.Unlock()
	r.Wake()
}

// Wake makes the Reporter compare what is with what should be. It never waits.
func (r *Reporter) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Leading reports whether we hold the Lease.
func (r *Reporter) Leading() bool { return r.leading.Load() }

// latest is the newest table with what belongs to it; the table is nil before the first one.
func (r *Reporter) latest() (*routing.Table, []routing.Problem, []types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	former := make([]types.NamespacedName, 0, len(r.former))
	for name := range r.former {
		former = append(former, name)
	}
	return r.table, r.problems, former
}

// forget drops a former Ingress that needs no more care.
func (r *Reporter) forget(name types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.former, name)
}

// lead writes until ctx ends. It is called when we get the Lease.
func (r *Reporter) lead(ctx context.Context, source addressSource) {
	r.leading.Store(true)
	defer r.leading.Store(false)
	r.o.Log.Info("holding the lease: writing status and events", "lease", r.o.LeaseName)
	events := newEvents(r.o)
	retry := time.NewTimer(0) // the first comparison is due at once
	defer retry.Stop()
	remind := time.NewTicker(remindEvery)
	defer remind.Stop()
	pause := retryFirst
	for {
		select {
		case <-ctx.Done():
			return
		case <-remind.C:
		case <-r.wake:
			watch.Settle(ctx, r.wake, settleQuiet, settleLimit)
		case <-retry.C:
		}
		if ctx.Err() != nil {
			return
		}
		if err := r.write(ctx, source, events); err != nil && ctx.Err() == nil {
			r.o.Log.Warn("cannot write status or events, will try again", "error", err, "after", pause)
			retry.Reset(pause)
			pause = min(2*pause, retryLast)
			continue
		}
		pause = retryFirst
		retry.Stop()
	}
}

// write brings the cluster to what the newest table says.
func (r *Reporter) write(ctx context.Context, source addressSource, events *eventWriter) error {
	table, problems, former := r.latest()
	if table == nil {
		return nil
	}
	addresses, err := source.addresses(ctx)
	if err != nil {
		return err
	}
	err = r.publish(ctx, table.Ingresses(), former, addresses)
	if eventErr := events.report(ctx, problems, stillThere(table)); err == nil {
		err = eventErr
	}
	return err
}

// stillThere says of an object with a problem whether it is worth telling that the problem is solved: of an Ingress that is
// ours, and of the controller's ConfigMap. Other objects may be gone, and nobody looks for Events there.
func stillThere(table *routing.Table) func(routing.ObjectRef) bool {
	return func(o routing.ObjectRef) bool {
		switch o.Kind {
		case "Ingress":
			return table.Claims(types.NamespacedName{Namespace: o.Namespace, Name: o.Name})
		case "ConfigMap":
			return true
		}
		return false
	}
}
