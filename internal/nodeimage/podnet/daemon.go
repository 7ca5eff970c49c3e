package podnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// resync is how long a route or rule can be missing after another program deleted it.
const resync = 30 * time.Second

// retryAfter is the delay after an error, for example if the kernel's tables are locked.
const retryAfter = 2 * time.Second

// Host is the kernel and file system of one node. All methods are idempotent.
type Host interface {
	// MTU returns the MTU in bytes of the link with the address.
	MTU(address netip.Addr) (int, error)
	// Routes returns the routes that the daemon added, also in earlier runs.
	Routes() ([]Route, error)
	// AddRoute adds a route, or replaces the route to the same range.
	AddRoute(Route) error
	// RemoveRoute removes a route. It returns nil if the route does not exist.
	RemoveRoute(Route) error
	// Masquerade applies the result of Ruleset.
	Masquerade(ctx context.Context, ruleset string) error
	// Configure installs the result of Conflist.
	Configure(conflist []byte) error
}

// Daemon updates the pod network of one node when Node objects change.
type Daemon struct {
	// Node is the name of its node.
	Node string
	// ClusterRanges contain the pods of all nodes.
	ClusterRanges []netip.Prefix
	// Host is the node to configure.
	Host Host
	// Log receives each change and error.
	Log *slog.Logger

	applied string // the last ruleset, to log only changes
}

// Run watches the nodes until ctx ends, and returns ctx's cause. It logs and retries errors of
// Apply. It removes nothing at the end, because pods survive a restart of the daemon.
func (d *Daemon) Run(ctx context.Context, nodes cache.ListerWatcher) error {
	changed := make(chan struct{}, 1)
	mark := func(any) {
		select {
		case changed <- struct{}{}:
		default: // the next pass is due already
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
	return d.loop(ctx, informer.GetStore(), changed)
}

func (d *Daemon) loop(ctx context.Context, nodes cache.Store, changed <-chan struct{}) error {
	for {
		wait := resync
		if err := d.pass(ctx, nodes.List()); err != nil {
			d.Log.Error("pod network is incomplete; retrying", "error", err)
			wait = retryAfter
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		case <-time.After(wait):
		}
	}
}

// pass applies the state of all nodes. An invalid node affects only its own route.
func (d *Daemon) pass(ctx context.Context, nodes []any) error {
	var peers []Peer
	var problems []error
	for _, object := range nodes {
		node, ok := object.(*corev1.Node)
		if !ok {
			continue // impossible: the informer contains only nodes
		}
		peer, err := PeerOf(node)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		peers = append(peers, peer)
	}
	return errors.Join(append(problems, d.Apply(ctx, peers))...)
}

// Apply configures the host for the peers. It continues after an error, so that an invalid route
// does not affect others, and returns all errors.
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
	// Add first: replacing the route of a node whose address changed does not interrupt its
	// traffic.
	for _, route := range add {
		d.Log.Info("add route", "route", route.String())
		failures = append(failures, d.Host.AddRoute(route))
	}
	for _, route := range remove {
		if slices.ContainsFunc(add, func(added Route) bool { return added.To == route.To }) {
			continue // AddRoute replaced it
		}
		d.Log.Info("remove route", "route", route.String())
		failures = append(failures, d.Host.RemoveRoute(route))
	}
	return errors.Join(failures...)
}

func (d *Daemon) applySelf(ctx context.Context, self Peer) error {
	if len(self.PodRanges) == 0 {
		d.Log.Info("waiting for a pod range", "node", self.Name)
		return nil // the assignment causes the next pass
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
	// Configure is last, because this file makes the node Ready.
	if err := d.Host.Configure(content); err != nil {
		return err
	}
	if d.applied != ruleset {
		d.Log.Info("node is configured", "node", self.Name, "podRanges", self.PodRanges, "mtu", mtu)
		d.applied = ruleset
	}
	return nil
}

// Nodes returns a client for Node objects. The complete clientset of client-go would be two thirds
// of the daemon's size and compile time.
func Nodes(config *rest.Config) (cache.ListerWatcher, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("create API client: %w", err)
	}
	config = rest.CopyConfig(config)
	config.APIPath = "/api"
	config.GroupVersion = &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("create API client: %w", err)
	}
	return cache.NewListWatchFromClient(client, "nodes", corev1.NamespaceAll, fields.Everything()), nil
}
