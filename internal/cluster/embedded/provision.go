package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
)

// provision makes a cluster where none is. Whatever goes wrong once something exists, and canceling is one such thing, is
// followed by removing all of it.
func (p *Provider) provision(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (*cluster.Cluster, error) {
	rec := &record{Nodes: spec.Nodes, Created: time.Now().UTC()}
	if rec.Nodes == 0 {
		rec.Nodes = cluster.DefaultNodes
	}
	doors, err := p.open(ctx, spec, rec, progress)
	if err != nil {
		return nil, err
	}
	defer doors.close()
	err = p.start(ctx, spec.Name, rec, doors, true, progress)
	var c *cluster.Cluster
	if err == nil {
		c, err = p.finish(spec, rec)
	}
	if err == nil {
		c.Created = true
		return c, nil
	}
	err = p.keepLog(ctx, spec.Name, fmt.Errorf("create cluster %q: %w", spec.Name, err))
	if spec.KeepOnFailure {
		progress.Note(fmt.Sprintf("kept what there is of cluster %q; `ingresslab down --name %s` removes it", spec.Name, spec.Name))
		return nil, errors.Join(err, p.Keep(ctx, spec.Name))
	}
	return nil, errors.Join(err, p.cleanUp(ctx, spec.Name, rec, progress))
}

// start starts the supervisor of a cluster and waits until it says that the cluster is Ready. fresh is true for a cluster
// that has not been before.
func (p *Provider) start(
	ctx context.Context, name string, rec *record, doors *doors, fresh bool, progress cluster.Progress,
) error {
	if err := possible(); err != nil {
		return err
	}
	if p.binaries == nil {
		return errors.New("there are no programs of a control plane")
	}
	binaries, err := p.binaries(ctx, progress)
	if err != nil {
		return fmt.Errorf("programs of the control plane: %w", err)
	}
	rec.Kubernetes = binaries.Version
	if err := p.store.Save(name, rec); err != nil {
		return err
	}
	if err := p.ensureKubeconfig(name, rec); err != nil {
		return err
	}
	dir := p.store.ClusterDir(name)
	started, err := launch(supervisor.Request{
		Name: name, Dir: dir, New: fresh, Lock: p.store.LockFile(name), Nodes: rec.Nodes,
		Binaries: binaries, Executable: p.executable,
	}, doors)
	if err != nil {
		return err
	}
	rec.Supervisor = started.process
	err = p.store.Save(name, rec)
	if err == nil {
		err = started.follow(ctx, progress)
	}
	if err != nil {
		return errors.Join(err, started.kill(ctx))
	}
	rec.Ready = time.Now().UTC()
	if err := p.store.Save(name, rec); err != nil {
		return errors.Join(err, started.kill(ctx))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leashes[name] = started
	return nil
}

// Keep implements cluster.Keeper.
func (p *Provider) Keep(_ context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	held, ok := p.leashes[name]
	if !ok {
		return nil
	}
	delete(p.leashes, name)
	if err := held.release(); err != nil {
		return &cluster.BrokenError{Name: name, Why: "its supervisor has ended: " + err.Error()}
	}
	return nil
}

// keepLog saves what was logged when a cluster could not be made, and tells where: its directory goes.
func (p *Provider) keepLog(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return err
	}
	text := collectLogs(controlplane.LogDir(p.store.ClusterDir(name)))
	if len(text) == 0 {
		return err
	}
	path := p.store.LogFile(name)
	if writeErr := os.WriteFile(path, text, 0o600); writeErr != nil {
		return err // the failure itself is what matters
	}
	return fmt.Errorf("%w (logs: %s)", err, path)
}

// collectLogs joins the ends of all logs in a directory.
func collectLogs(dir string) []byte {
	const most = 64 << 10
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil
	}
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			continue
		}
		all = append(all, "==> "+filepath.Base(file)+" <==\n"...)
		all = append(all, text[max(0, len(text)-most):]...)
	}
	return all
}
