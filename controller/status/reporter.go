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

// Options identify the replica, and specify which addresses to publish.
type Options struct {
	Client kubernetes.Interface
	// Ingresses is the cache that is read before a write.
	Ingresses networkinglisters.IngressLister
	Log       *slog.Logger
	// PodName and PodNamespace identify our own pod. PodName is empty outside a cluster. Identity
	// is the name of this replica in the Lease and in Events.
	PodName, PodNamespace, Identity string
	// LeaseName and LeaseDuration (at least 1 s) configure the Lease. Only its holder writes.
	LeaseName     string
	LeaseDuration time.Duration
	// Service is the Service whose addresses are published, and Addresses are fixed ones. With
	// neither, the addresses are those of the nodes that run a ready controller pod.
	Service   types.NamespacedName
	Addresses []string
}

const (
	// settleQuiet is the wait between a new table and the write of its status. A client can send a
	// request to another replica as soon as an address appears. By then, that replica has loaded
	// its table, too: replicas receive a change at about the same time and need 50 ms at most.
	settleQuiet = 100 * time.Millisecond
	settleLimit = time.Second
	// After a failed write, the Reporter retries after retryFirst, and doubles the wait up to
	// retryLast.
	retryFirst = 500 * time.Millisecond
	retryLast  = 30 * time.Second
	// remindEvery is the interval at which the Reporter writes even without a change, to renew
	// Events and node addresses.
	remindEvery = 10 * time.Minute
	// withdrawTimeout is the time limit for the cleanup of the last replica.
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
	// former are Ingresses of earlier tables that are not in the current table.
	former map[types.NamespacedName]bool
}

// New returns a Reporter. Call Run to start it.
func New(o Options) *Reporter {
	return &Reporter{o: o, wake: make(chan struct{}, 1), former: map[types.NamespacedName]bool{}}
}

// Observe sets the loaded table and its Problems. It never blocks.
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

// Wake makes the Reporter compare the cluster with the table. It never blocks.
func (r *Reporter) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Leading reports whether this replica holds the Lease.
func (r *Reporter) Leading() bool { return r.leading.Load() }

// latest returns the newest table, its Problems, and the former Ingresses. Before the first table,
// it returns nil.
func (r *Reporter) latest() (*routing.Table, []routing.Problem, []types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	former := make([]types.NamespacedName, 0, len(r.former))
	for name := range r.former {
		former = append(former, name)
	}
	return r.table, r.problems, former
}

// forget drops a former Ingress after its status is cleared.
func (r *Reporter) forget(name types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.former, name)
}

// lead writes status and Events until ctx ends. It runs while this replica holds the Lease.
func (r *Reporter) lead(ctx context.Context, source addressSource) {
	r.leading.Store(true)
	defer r.leading.Store(false)
	r.o.Log.Info("holding the lease: writing status and events", "lease", r.o.LeaseName)
	events := newEvents(r.o)
	retry := time.NewTimer(0) // compare at once
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
			r.o.Log.Warn("cannot write status or events, retrying", "error", err, "after", pause)
			retry.Reset(pause)
			pause = min(2*pause, retryLast)
			continue
		}
		pause = retryFirst
		retry.Stop()
	}
}

// write makes status and Events match the newest table.
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

// stillThere reports whether an object gets an Event when its Problem is solved: our Ingresses, and
// the controller's ConfigMap. Other objects might be deleted, and users do not read their Events.
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
