package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/filelock"
	"github.com/ingresslab/ingresslab/internal/kube"
)

const (
	aliveTimeout   = 5 * time.Second // the limit for one request to an API server on this machine
	cleanUpTimeout = 2 * time.Minute // the limit for removing a cluster after a failure or Ctrl-C
)

// Lifecycle implements Up, Down, Get, and List for providers that create clusters on this machine.
// It locks, inspects, reuses, and describes a cluster; a Backend does the rest.
type Lifecycle[R any, P recordPointer[R]] struct {
	Store[R]
	// Alive returns nil if the API server responds and all nodes are Ready. Tests replace it.
	Alive    func(ctx context.Context, kubeconfig string, nodes int) error
	provider string
	backend  Backend[R]
}

// recordPointer is a pointer to a record that embeds Record.
type recordPointer[R any] interface {
	*R
	Shared() *Record
}

// Backend is the part that differs between providers. Create, Revive, and Delete run under a lock.
type Backend[R any] interface {
	// Check returns an error if spec or this machine does not allow a cluster.
	Check(ctx context.Context, spec Spec) error
	// Inspect returns the condition of a cluster.
	Inspect(ctx context.Context, name string) (Condition[R], error)
	// Create saves a record, creates a cluster, and waits until it is Ready.
	Create(ctx context.Context, spec Spec, progress Progress) (*R, error)
	// Revive makes an existing cluster Ready. If it returns replace and err, Up creates a new one.
	Revive(ctx context.Context, name string, c Condition[R], progress Progress) (replace bool, err error)
	// Keep implements Provider.
	Keep(ctx context.Context, name string) error
	// EnsureKubeconfig writes the cluster's kubeconfig if it is missing or outdated.
	EnsureKubeconfig(name string, rec *R) error
	// FailureLog returns the log to save after Create failed with err. It can be empty.
	FailureLog(name string, err error) []byte
	// Delete removes everything except the files in the Store.
	Delete(ctx context.Context, name string, c Condition[R]) error
}

// Condition is the result of Inspect.
type Condition[R any] struct {
	State  State
	Record *R // nil if State is Absent or Foreign
	Nodes  []Node
	Why    string // the reason if State is neither Running nor Absent
}

// NewLifecycle returns the Lifecycle of a provider with its state in dir.
func NewLifecycle[R any, P recordPointer[R]](provider, dir string, backend Backend[R]) *Lifecycle[R, P] {
	return &Lifecycle[R, P]{Store: Store[R]{Dir: StateDir(dir, provider)}, Alive: alive, provider: provider, backend: backend}
}

func alive(ctx context.Context, kubeconfig string, nodes int) error {
	cfg, err := LoadConfig(kubeconfig)
	if err != nil {
		return err
	}
	client, err := kube.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	return client.NodesReady(ctx, nodes)
}

// CheckInstall implements Provider. It allows everything, because only ingresslab uses the cluster.
func (l *Lifecycle[R, P]) CheckInstall(context.Context, *Cluster, []*unstructured.Unstructured) error {
	return nil
}

// OpenPorts implements Provider. It does nothing, because the ports are always open.
func (l *Lifecycle[R, P]) OpenPorts(context.Context, *Cluster, Progress) error { return nil }

// Up implements Provider.
func (l *Lifecycle[R, P]) Up(ctx context.Context, spec Spec, progress Progress) (*Cluster, error) {
	spec = spec.WithDefaultName()
	if err := spec.Check(); err != nil {
		return nil, err
	}
	if err := l.backend.Check(ctx, spec); err != nil {
		return nil, err
	}
	unlock, err := l.lock(ctx, spec.Name, progress)
	if err != nil {
		return nil, err
	}
	defer unlock()
	c, err := l.inspect(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	if c.State != Absent {
		usable, err := l.reuse(ctx, spec, c, progress)
		if usable != nil || err != nil {
			return usable, err
		}
		if err := l.remove(ctx, spec.Name, c, progress); err != nil {
			return nil, err
		}
	}
	return l.create(ctx, spec, progress)
}

// lock admits one command, because a second would mistake an unfinished cluster for a crashed one.
func (l *Lifecycle[R, P]) lock(ctx context.Context, name string, progress Progress) (unlock func(), err error) {
	return filelock.Acquire(ctx, l.LockFile(name), func() {
		progress.Note(fmt.Sprintf("another ingresslab process is changing cluster %q; waiting for it", name))
	})
}

// inspect returns an error for a foreign cluster.
func (l *Lifecycle[R, P]) inspect(ctx context.Context, name string) (Condition[R], error) {
	c, err := l.backend.Inspect(ctx, name)
	if err == nil && c.State == Foreign {
		err = errors.New(c.Why)
	}
	return c, err
}

// reuse returns the existing cluster if it matches and works. It returns nil, nil to replace it.
func (l *Lifecycle[R, P]) reuse(ctx context.Context, spec Spec, c Condition[R], progress Progress) (*Cluster, error) {
	switch {
	case spec.Recreate:
		return nil, nil
	case c.State == HalfCreated:
		progress.Note(fmt.Sprintf("cluster %q is half-created (%s); starting over", spec.Name, c.Why))
		return nil, nil
	}
	if diffs := spec.differences(P(c.Record).Shared()); len(diffs) > 0 {
		return nil, &MismatchError{Name: spec.Name, Differences: diffs}
	}
	replace, err := l.backend.Revive(ctx, spec.Name, c, progress)
	if replace {
		progress.Note(fmt.Sprintf("cluster %q does not work (%v); starting over", spec.Name, err))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return l.finish(spec, c.Record)
}

// create creates a cluster where none exists. After a failure, it removes everything.
func (l *Lifecycle[R, P]) create(ctx context.Context, spec Spec, progress Progress) (*Cluster, error) {
	rec, err := l.backend.Create(ctx, spec, progress)
	var c *Cluster
	if err == nil {
		c, err = l.finish(spec, rec)
	}
	if err == nil {
		c.Created = true
		return c, nil
	}
	if _, statErr := os.Stat(l.ClusterDir(spec.Name)); errors.Is(statErr, fs.ErrNotExist) {
		return nil, err // nothing exists yet
	}
	err = l.keepLog(ctx, spec.Name, err)
	if spec.KeepOnFailure {
		progress.Note(fmt.Sprintf("kept the incomplete cluster %q; run `ingresslab down --name %[1]s` to remove it", spec.Name))
		return nil, errors.Join(err, l.backend.Keep(ctx, spec.Name))
	}
	return nil, errors.Join(err, l.cleanUp(ctx, spec.Name, progress))
}

// keepLog saves the log of a failed creation and adds its path to err.
func (l *Lifecycle[R, P]) keepLog(ctx context.Context, name string, err error) error {
	log := l.backend.FailureLog(name, err)
	if ctx.Err() != nil || len(log) == 0 || os.WriteFile(l.LogFile(name), log, 0o600) != nil {
		return err
	}
	return fmt.Errorf("%w (log: %s)", err, l.LogFile(name))
}

// cleanUp removes the objects that a failed Up created, even if ctx has ended.
func (l *Lifecycle[R, P]) cleanUp(ctx context.Context, name string, progress Progress) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
	defer cancel()
	rec, err := l.Load(name)
	if err == nil {
		err = l.remove(ctx, name, Condition[R]{State: HalfCreated, Record: rec}, progress)
	}
	if err != nil {
		return fmt.Errorf("clean up: %w; run `ingresslab down --name %s` to try again", err, name)
	}
	return nil
}

// remove removes a cluster, and its record last: the next command continues after an interruption.
func (l *Lifecycle[R, P]) remove(ctx context.Context, name string, c Condition[R], progress Progress) (err error) {
	if c.State != Absent {
		done := progress.Step("Removing cluster " + name)
		defer func() { done(err) }()
	}
	if err := l.backend.Delete(ctx, name, c); err != nil {
		return err
	}
	if c.Record != nil {
		if path := P(c.Record).Shared().MergedInto; path != "" {
			if err := RemoveContext(path, l.provider+"-"+name); err != nil {
				return fmt.Errorf("remove cluster %q: %w", name, err)
			}
		}
	}
	return l.Forget(name)
}

// finish describes a cluster that works. It merges the kubeconfig if spec requests it.
func (l *Lifecycle[R, P]) finish(spec Spec, rec *R) (*Cluster, error) {
	own, users := l.Kubeconfig(spec.Name), UserKubeconfig()
	if spec.MergeKubeconfig && users != own {
		if err := MergeKubeconfig(own, users); err != nil {
			return nil, fmt.Errorf("--merge-kubeconfig: %w", err)
		}
		P(rec).Shared().MergedInto = users
		if err := l.Save(spec.Name, rec); err != nil {
			return nil, err
		}
	}
	return l.describe(spec.Name, rec)
}

func (l *Lifecycle[R, P]) describe(name string, rec *R) (*Cluster, error) {
	cfg, err := LoadConfig(l.Kubeconfig(name))
	if err != nil {
		return nil, err
	}
	r := P(rec).Shared()
	missing := Missing{}
	if r.Nodes < 2 {
		missing[Nodes] = "the cluster has one node; create it with --nodes 3"
	}
	at := func(port int) string { return fmt.Sprintf("%s:%d", Loopback, port) }
	return &Cluster{
		Name: name, Provider: l.provider, Kubeconfig: l.Kubeconfig(name), Config: cfg, Missing: missing,
		Addresses: Addresses{HTTP: at(r.HTTPPort), HTTPS: at(r.HTTPSPort), Status: at(r.StatusPort)},
	}, nil
}

// MarkReady saves the current time in the record as the time when the cluster was last Ready.
func (l *Lifecycle[R, P]) MarkReady(name string, rec *R) error {
	P(rec).Shared().Ready = time.Now().UTC()
	return l.Save(name, rec)
}

// Down implements Provider.
func (l *Lifecycle[R, P]) Down(ctx context.Context, name string, progress Progress) error {
	spec := Spec{Name: name}.WithDefaultName()
	if err := spec.Check(); err != nil {
		return err
	}
	absent := func() { progress.Note(fmt.Sprintf("cluster %q does not exist", spec.Name)) }
	if err := l.backend.Check(ctx, spec); err != nil {
		if rec, loadErr := l.Load(spec.Name); rec == nil && loadErr == nil {
			absent()
			return nil
		}
		return err
	}
	unlock, err := l.lock(ctx, spec.Name, progress)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := l.inspect(ctx, spec.Name)
	if err != nil {
		return err
	}
	if c.State == Absent {
		absent()
	}
	if err := l.remove(ctx, spec.Name, c, progress); err != nil {
		return err
	}
	if err := os.Remove(l.LogFile(spec.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("log of cluster %q: %w", spec.Name, err)
	}
	return nil
}

// Get implements Provider.
func (l *Lifecycle[R, P]) Get(ctx context.Context, name string) (*Cluster, error) {
	c, err := l.Existing(ctx, name)
	if err != nil {
		return nil, err
	}
	if c.State != Running {
		return nil, &BrokenError{Name: name, Why: c.Why}
	}
	if err := l.backend.EnsureKubeconfig(name, c.Record); err != nil {
		return nil, err
	}
	if err := l.Alive(ctx, l.Kubeconfig(name), P(c.Record).Shared().Nodes); err != nil {
		return nil, &BrokenError{Name: name, Why: err.Error()}
	}
	return l.describe(name, c.Record)
}

// Existing returns the condition of a cluster, or a *NotFoundError.
func (l *Lifecycle[R, P]) Existing(ctx context.Context, name string) (Condition[R], error) {
	spec := Spec{Name: name}
	if err := spec.Check(); err != nil {
		return Condition[R]{}, err
	}
	if err := l.backend.Check(ctx, spec); err != nil {
		return Condition[R]{}, err
	}
	c, err := l.inspect(ctx, name)
	if err == nil && c.State == Absent {
		err = &NotFoundError{Name: name}
	}
	return c, err
}

// List implements Provider for the clusters that have a record.
func (l *Lifecycle[R, P]) List(ctx context.Context) ([]Summary, error) {
	names, err := l.Names()
	if err != nil {
		return nil, err
	}
	return l.Summaries(ctx, names)
}

// Summaries returns a Summary of each cluster that exists and is not foreign.
func (l *Lifecycle[R, P]) Summaries(ctx context.Context, names []string) ([]Summary, error) {
	var list []Summary
	for _, name := range names {
		c, err := l.backend.Inspect(ctx, name)
		if err != nil {
			return nil, err
		}
		if c.State != Absent && c.State != Foreign {
			created := P(c.Record).Shared().Created
			list = append(list, Summary{Name: name, State: c.State, Nodes: c.Nodes, Created: created, Problem: c.Why})
		}
	}
	return list, nil
}
