package kind

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/adrg/xdg"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/filelock"
)

// Name is what --cluster selects the provider by.
const Name = "kind"

// NodeImageFunc finds or makes the image that nodes run, and returns its
// reference. The image must be in the engine when it returns.
type NodeImageFunc func(ctx context.Context, progress cluster.Progress) (string, error)

// Options configure a Provider.
type Options struct {
	// StateDir holds what the provider remembers, and the kubeconfigs; empty is
	// ingresslab/kind under the user's XDG state directory.
	StateDir string
	// NodeImage is asked when a cluster is created and its Spec names no image.
	NodeImage NodeImageFunc
	// Executable is the program that is started with ChildCommand; empty is the
	// running one.
	Executable string
}

// Provider makes clusters with kind. It is safe for concurrent use, also by
// several processes.
type Provider struct {
	store     store
	engine    engine
	nodeImage NodeImageFunc

	// What follows reaches kind and the clusters themselves; tests replace it.
	create           func(context.Context, request, cluster.Progress) error
	exportKubeconfig func(name, path string) error
	alive            func(ctx context.Context, kubeconfig string, nodes int) error
	waitNodes        func(ctx context.Context, kubeconfig string, nodes int) error
	waitDNS          func(ctx context.Context, kubeconfig string) error
	waitWoken        func(ctx context.Context, kubeconfig string, news map[string]time.Time) error
	raiseLimits      func() (note string)
	settle           time.Duration
}

var _ cluster.Provider = (*Provider)(nil)

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
		store:     newStore(o.StateDir),
		engine:    docker{},
		nodeImage: o.NodeImage,
		create: func(ctx context.Context, req request, progress cluster.Progress) error {
			return createInChild(ctx, o.Executable, req, progress)
		},
		exportKubeconfig: exportKubeconfig,
		alive:            alive,
		waitNodes:        waitNodes,
		waitDNS:          waitDNS,
		waitWoken:        waitWoken,
		raiseLimits:      func() string { return raiseInotify(inotifyLimit) },
		settle:           settleInterval,
	}, nil
}

// Name implements cluster.Provider.
func (p *Provider) Name() string { return Name }

// Up implements cluster.Provider.
func (p *Provider) Up(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (*cluster.Cluster, error) {
	spec = spec.WithDefaultName()
	if err := spec.Check(); err != nil {
		return nil, err
	}
	if err := p.engine.check(ctx); err != nil {
		return nil, err
	}
	unlock, err := p.lock(ctx, spec.Name, progress)
	if err != nil {
		return nil, err
	}
	defer unlock()
	existing, err := p.examine(ctx, spec.Name)
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

// lock keeps two commands from working on the same cluster: the second would
// take what the first is creating for the remains of a crash.
func (p *Provider) lock(ctx context.Context, name string, progress cluster.Progress) (unlock func(), err error) {
	return filelock.Acquire(ctx, p.store.LockFile(name), func() {
		progress.Note(fmt.Sprintf("another ingresslab is working on cluster %q; waiting for it", name))
	})
}

// reuse returns the existing cluster if it fits and is healthy, or can be made
// so by starting it. It returns neither cluster nor error if it is to be
// replaced.
func (p *Provider) reuse(
	ctx context.Context, spec cluster.Spec, c condition, progress cluster.Progress,
) (*cluster.Cluster, error) {
	switch {
	case spec.Recreate:
		return nil, nil
	case c.state == cluster.HalfCreated:
		progress.Note(fmt.Sprintf("cluster %q is half-created (%s); starting over", spec.Name, c.why))
		return nil, nil
	}
	if diffs := differences(spec, c.record); len(diffs) > 0 {
		return nil, &cluster.MismatchError{Name: spec.Name, Differences: diffs}
	}
	if err := p.revive(ctx, spec.Name, c, progress); err != nil {
		if ctx.Err() != nil || isPortTaken(err) {
			return nil, err
		}
		progress.Note(fmt.Sprintf("cluster %q does not work (%v); starting over", spec.Name, err))
		return nil, nil
	}
	if spec.MergeKubeconfig {
		if err := p.merge(spec.Name, c.record); err != nil {
			return nil, err
		}
	}
	return p.describe(spec.Name, c.record)
}

// revive sees to it that an existing cluster is Ready: stopped nodes are
// started, a cluster that is just coming up is waited for.
func (p *Provider) revive(ctx context.Context, name string, c condition, progress cluster.Progress) (err error) {
	if c.state == cluster.Running {
		if err := p.ensureKubeconfig(name); err != nil {
			return err
		}
	}
	news, err := p.engine.startedAt(ctx, c.names()...)
	if err != nil {
		return err
	}
	maps.DeleteFunc(news, func(_ string, started time.Time) bool {
		return time.Since(started) > justNow || !started.After(c.record.Ready)
	})
	if c.state == cluster.Running && len(news) == 0 && p.alive(ctx, p.store.Kubeconfig(name), c.record.Nodes) == nil {
		return nil
	}
	done := progress.Step("Waking up cluster " + name)
	defer func() { done(err) }()
	started, err := p.startNodes(ctx, c)
	if err != nil {
		return err
	}
	maps.Copy(news, started)
	return p.awaken(ctx, name, c.record, news)
}

// justNow is how long after its start a node may not have said how it is.
const justNow = 3 * time.Minute

// awaken waits until a cluster is Ready, some of whose nodes have been started
// at a time that news tells.
func (p *Provider) awaken(ctx context.Context, name string, rec *record, news map[string]time.Time) error {
	if err := p.ensureKubeconfig(name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reuseReadyTimeout)
	defer cancel()
	if err := p.waitWoken(ctx, p.store.Kubeconfig(name), news); err != nil {
		return err
	}
	if err := p.waitNodes(ctx, p.store.Kubeconfig(name), rec.Nodes); err != nil {
		return err
	}
	if err := p.waitDNS(ctx, p.store.Kubeconfig(name)); err != nil {
		return err
	}
	rec.Ready = time.Now().UTC()
	return p.store.Save(name, rec)
}

// startNodes starts the nodes that are stopped, and returns when it did. If
// the control plane is among them, its ports of this machine have to be free
// still; that somebody took one in the meantime is said properly.
func (p *Provider) startNodes(ctx context.Context, c condition) (map[string]time.Time, error) {
	started := map[string]time.Time{}
	for _, ct := range c.containers {
		if ct.state == "running" {
			continue
		}
		started[ct.name] = time.Now()
		if ct.role != "control-plane" {
			continue
		}
		spec := cluster.Spec{HTTPPort: c.record.HTTPPort, HTTPSPort: c.record.HTTPSPort, StatusPort: c.record.StatusPort}
		if _, err := p.choosePorts(ctx, spec); err != nil {
			return nil, err
		}
	}
	if len(started) == 0 {
		return nil, nil
	}
	return started, p.engine.start(ctx, slices.Sorted(maps.Keys(started))...)
}

func isPortTaken(err error) bool {
	var taken *cluster.PortTakenError
	return errors.As(err, &taken)
}

// describe makes the Cluster of a record.
func (p *Provider) describe(name string, rec *record) (*cluster.Cluster, error) {
	cfg, err := restConfig(p.store.Kubeconfig(name))
	if err != nil {
		return nil, err
	}
	lacks := cluster.Capabilities{}
	if rec.Nodes < 2 {
		lacks[cluster.Nodes] = "the cluster has one node; --nodes 3 makes more"
	}
	return &cluster.Cluster{
		Name:         name,
		Provider:     Name,
		Kubeconfig:   p.store.Kubeconfig(name),
		Config:       cfg,
		Addresses:    addresses(rec),
		Capabilities: lacks,
	}, nil
}

func addresses(rec *record) cluster.Addresses {
	at := func(port int) string { return fmt.Sprintf("%s:%d", loopback, port) }
	return cluster.Addresses{HTTP: at(rec.HTTPPort), HTTPS: at(rec.HTTPSPort), Status: at(rec.StatusPort)}
}
