package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/adrg/xdg"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/filelock"
)

// Name is what --cluster selects the provider by.
const Name = "embedded"

// BinariesFunc finds or makes the programs of the control plane.
type BinariesFunc func(ctx context.Context, progress cluster.Progress) (controlplane.Binaries, error)

// Options configure a Provider.
type Options struct {
	// StateDir holds the clusters; empty is ingresslab/embedded under the user's XDG state directory.
	StateDir string
	// Binaries is asked when a cluster is started.
	Binaries BinariesFunc
	// Executable is the program that is started with supervisor.ChildCommand; empty is the running one.
	Executable string
}

// Provider makes embedded clusters. It is safe for concurrent use, also by several processes.
type Provider struct {
	store      store
	binaries   BinariesFunc
	executable string

	mu sync.Mutex
	// leashes are of supervisors that this program has started and nobody has kept yet, by the cluster's name.
	leashes map[string]*leash
}

var (
	_ cluster.Provider   = (*Provider)(nil)
	_ cluster.Keeper     = (*Provider)(nil)
	_ cluster.ImageStore = (*Provider)(nil)
)

// New returns a provider. It touches nothing yet.
func New(o Options) (*Provider, error) {
	if o.StateDir == "" {
		o.StateDir = filepath.Join(xdg.StateHome, "ingresslab", Name)
	}
	if o.Executable == "" {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the running program: %w", err)
		}
		o.Executable = exe
	}
	return &Provider{
		store: store{cluster.Store[record]{Dir: o.StateDir}}, binaries: o.Binaries, executable: o.Executable,
		leashes: map[string]*leash{},
	}, nil
}

// Name implements cluster.Provider.
func (p *Provider) Name() string { return Name }

// Available says why there can be no embedded cluster on this machine, for this user.
func (p *Provider) Available() error { return possible() }

// Up implements cluster.Provider. A cluster that it starts ends with the calling program until Keep is called.
func (p *Provider) Up(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (*cluster.Cluster, error) {
	spec = spec.WithDefaultName()
	if err := check(spec); err != nil {
		return nil, err
	}
	unlock, err := p.lock(ctx, spec.Name, progress)
	if err != nil {
		return nil, err
	}
	defer unlock()
	existing, err := p.examine(spec.Name)
	if err != nil {
		return nil, err
	}
	if existing.state != cluster.Absent {
		usable, err := p.reuse(ctx, spec, existing, progress)
		if usable != nil || err != nil {
			return usable, err
		}
		if err := p.removeWithStep(ctx, spec.Name, existing, progress); err != nil {
			return nil, err
		}
	}
	return p.provision(ctx, spec, progress)
}

// check finds wishes that an embedded cluster cannot grant.
func check(spec cluster.Spec) error {
	if err := spec.Check(); err != nil {
		return err
	}
	if spec.NodeImage != "" {
		return &cluster.SpecError{Flag: "--node-image", Why: "the nodes of an embedded cluster are simulated and run no image"}
	}
	return nil
}

// lock keeps two commands from working on the same cluster.
func (p *Provider) lock(ctx context.Context, name string, progress cluster.Progress) (unlock func(), err error) {
	return filelock.Acquire(ctx, p.store.LockFile(name), func() {
		progress.Note(fmt.Sprintf("another ingresslab is working on cluster %q; waiting for it", name))
	})
}

// reuse returns the existing cluster if it fits and works, or can be started again. It returns neither cluster nor error if
// it is to be replaced.
func (p *Provider) reuse(ctx context.Context, spec cluster.Spec, c condition, progress cluster.Progress) (*cluster.Cluster, error) {
	switch {
	case spec.Recreate:
		return nil, nil
	case c.state == cluster.HalfCreated:
		progress.Note(fmt.Sprintf("cluster %q is half-created (%s); starting over", spec.Name, c.why))
		return nil, nil
	}
	if diffs := spec.Differences(c.record.Nodes, c.record.ports()); len(diffs) > 0 {
		return nil, &cluster.MismatchError{Name: spec.Name, Differences: diffs}
	}
	if err := p.ensureKubeconfig(spec.Name, c.record); err != nil {
		return nil, err
	}
	if c.state == cluster.Running {
		err := p.alive(ctx, spec.Name, c.record)
		if err == nil {
			return p.finish(spec, c.record)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		progress.Note(fmt.Sprintf("cluster %q does not work (%v); starting it again", spec.Name, err))
	}
	if err := p.stop(ctx, c.record); err != nil {
		return nil, err
	}
	if err := p.restart(ctx, spec, c.record, progress); err != nil {
		return nil, err
	}
	return p.finish(spec, c.record)
}

// restart starts a cluster from what it left. If that fails, all is as before: stopped.
func (p *Provider) restart(ctx context.Context, spec cluster.Spec, rec *record, progress cluster.Progress) error {
	doors, err := p.reopen(ctx, rec, progress)
	if err != nil {
		return err
	}
	defer doors.close()
	if err := p.start(ctx, spec.Name, rec, doors, false, progress); err != nil {
		var damaged *damagedError
		if errors.As(err, &damaged) {
			return &cluster.DamagedError{Name: spec.Name, Why: damaged.Error()}
		}
		return fmt.Errorf("start cluster %q again: %w (logs: %s)", spec.Name, err, controlplane.LogDir(p.store.ClusterDir(spec.Name)))
	}
	return nil
}

// finish does what is wanted of a cluster that works, new or not.
func (p *Provider) finish(spec cluster.Spec, rec *record) (*cluster.Cluster, error) {
	if spec.MergeKubeconfig {
		if err := p.merge(spec.Name, rec); err != nil {
			return nil, err
		}
	}
	return p.describe(spec.Name, rec)
}

// describe makes the Cluster of a record.
func (p *Provider) describe(name string, rec *record) (*cluster.Cluster, error) {
	path := p.store.Kubeconfig(name)
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	lacks := cluster.Capabilities{}
	if rec.Nodes < 2 {
		lacks[cluster.Nodes] = "the cluster has one node; --nodes 3 makes more"
	}
	return &cluster.Cluster{
		Name: name, Provider: Name, Kubeconfig: path, Config: cfg, Addresses: rec.addresses(), Capabilities: lacks,
	}, nil
}
