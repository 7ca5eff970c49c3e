package podnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// healEvery bounds how long a route or rule that somebody else deleted stays missing.
const healEvery = 30 * time.Second

// retryAfter is the pause after a failure, as when the kernel's tables are locked.
const retryAfter = 2 * time.Second

// Host is the kernel and file system of one node. All methods are idempotent.
type Host interface {
	// MTU returns the MTU, in bytes, of the link that holds the address.
	MTU(address netip.Addr) (int, error)
	// Routes returns the routes that this daemon, or an earlier run of it, installed.
	Routes() ([]Route, error)
	// AddRoute installs a route and replaces one for the same range.
	AddRoute(Route) error
	// RemoveRoute removes a route; that it is gone already is no error.
	RemoveRoute(Route) error
	// Masquerade applies a text of Ruleset.
	Masquerade(ctx context.Context, ruleset string) error
	// Configure installs the text of Conflist.
	Configure(conflist []byte) error
}

// Daemon keeps the pod network of one node in line with the cluster's Node objects.
type Daemon struct {
	// Node is the name of the node it runs on.
	Node string
	// ClusterRanges hold the pods of all nodes.
	ClusterRanges []netip.Prefix
	// Host is where the network is applied.
	Host Host
	// Log receives one line for every change and every failure.
	Log *slog.Logger

	applied string // the last ruleset applied, to log only changes
}

// Run watches the nodes until ctx ends, and then returns ctx's cause. A failure to apply
// is logged and retried; nothing is taken down at the end, because pods outlive a restart
// of the daemon.
func (d *Daemon) Run(ctx context.Context, nodes cache.ListerWatcher) error {
	dirty := make(chan struct{}, 1)
	mark := func(any) {
		select {
		case dirty <- struct{}{}:
		default: // A pass is due anyway, and it looks at everything.
		}
	}
	informer := cache.NewSharedIndexInformer(nodes, &corev1.Node{}, 0, cache.Indexers{})
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: mark, DeleteFunc: mark, UpdateFunc: func(_, node any) { mark(node) },
	})
	if err != nil {
		return fmt.Errorf("watch nodes: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		informer.RunWithContext(ctx)
		close(ended)
	}()
	defer func() { <-ended }()
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return context.Cause(ctx)
	}
	return d.loop(ctx, informer.GetStore(), dirty)
}

func (d *Daemon) loop(ctx context.Context, nodes cache.Store, dirty <-chan struct{}) error {
	for {
		wait := healEvery
		if err := d.pass(ctx, nodes.List()); err != nil {
			d.Log.Error("pod network is not complete, will retry", "error", err)
			wait = retryAfter
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-dirty:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (d *Daemon) pass(ctx context.Context, nodes []any) error {
	peers, problems := d.peers(nodes)
	return errors.Join(append(problems, d.Apply(ctx, peers))...)
}

// peers reads all nodes. One that cannot be read costs its own route and no other.
func (d *Daemon) peers(nodes []any) ([]Peer, []error) {
	var peers []Peer
	var problems []error
	for _, object := range nodes {
		node, ok := object.(*corev1.Node)
		if !ok {
			continue // The informer holds nothing else.
		}
		peer, err := PeerOf(node)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		peers = append(peers, peer)
	}
	return peers, problems
}

// Apply brings the host in line with the peers. It goes on after a failure, so that one
// bad route does not cost the others, and returns all failures.
func (d *Daemon) Apply(ctx context.Context, peers []Peer) error {
	failures := d.applyRoutes(peers)
	for _, peer := range peers {
		if peer.Name == d.Node {
			return errors.Join(failures, d.applySelf(ctx, peer))
		}
	}
	return errors.Join(failures, fmt.Errorf("node %s: not found", d.Node))
}

func (d *Daemon) applyRoutes(peers []Peer) error {
	present, err := d.Host.Routes()
	if err != nil {
		return err
	}
	add, remove := Difference(present, Routes(d.Node, peers))
	var failures []error
	// Removing first would cut off a node whose address changed; replacing never does.
	for _, route := range add {
		d.Log.Info("add route", "route", route.String())
		failures = append(failures, d.Host.AddRoute(route))
	}
	for _, route := range remove {
		if replaced(route, add) {
			continue
		}
		d.Log.Info("remove route", "route", route.String())
		failures = append(failures, d.Host.RemoveRoute(route))
	}
	return errors.Join(failures...)
}

func replaced(route Route, added []Route) bool {
	for _, other := range added {
		if other.To == route.To {
			return true
		}
	}
	return false
}

func (d *Daemon) applySelf(ctx context.Context, self Peer) error {
	if len(self.PodRanges) == 0 {
		d.Log.Info("waiting for a pod range", "node", self.Name)
		return nil // The update that assigns one starts the next pass.
	}
	ruleset := Ruleset(self.PodRanges, d.ClusterRanges)
	if err := d.Host.Masquerade(ctx, ruleset); err != nil {
		return err
	}
	mtu := 0
	if via, ok := self.address(self.PodRanges[0]); ok {
		found, err := d.Host.MTU(via)
		if err != nil {
			return err
		}
		mtu = found
	}
	content, err := Conflist(self.PodRanges, mtu)
	if err != nil {
		return fmt.Errorf("node %s: %w", self.Name, err)
	}
	// Last: this file makes the node Ready, so the rest has to be in place before it.
	if err := d.Host.Configure(content); err != nil {
		return err
	}
	if d.applied != ruleset {
		d.Log.Info("node is configured", "node", self.Name, "podRanges", self.PodRanges, "mtu", mtu)
		d.applied = ruleset
	}
	return nil
}
