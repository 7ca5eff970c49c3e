package embedded

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
)

// Get implements cluster.Provider.
func (p *Provider) Get(ctx context.Context, name string) (*cluster.Cluster, error) {
	c, err := p.existing(name)
	if err != nil {
		return nil, err
	}
	if c.state != cluster.Running {
		return nil, &cluster.BrokenError{Name: name, Why: c.why}
	}
	if err := p.ensureKubeconfig(name, c.record); err != nil {
		return nil, err
	}
	if err := p.alive(ctx, name, c.record); err != nil {
		return nil, &cluster.BrokenError{Name: name, Why: err.Error()}
	}
	return p.describe(name, c.record)
}

// existing returns the condition of a cluster that is there in some form.
func (p *Provider) existing(name string) (condition, error) {
	if err := (cluster.Spec{Name: name}).Check(); err != nil {
		return condition{}, err
	}
	c, err := p.examine(name)
	if err != nil {
		return condition{}, err
	}
	if c.state == cluster.Absent {
		return condition{}, &cluster.NotFoundError{Name: name}
	}
	return c, nil
}

// List implements cluster.Provider.
func (p *Provider) List(context.Context) ([]cluster.Summary, error) {
	names, err := p.store.Names()
	if err != nil {
		return nil, err
	}
	var list []cluster.Summary
	for _, name := range names {
		c, err := p.examine(name)
		if err != nil {
			return nil, err
		}
		if c.state != cluster.Absent {
			list = append(list, summary(name, c))
		}
	}
	return list, nil
}

func summary(name string, c condition) cluster.Summary {
	s := cluster.Summary{Name: name, State: c.state, Problem: c.why, Created: c.record.Created}
	state := "stopped"
	if c.state == cluster.Running {
		state = "running"
	}
	for i := range c.record.Nodes {
		role := "worker"
		if i == 0 {
			role = "control-plane"
		}
		s.Nodes = append(s.Nodes, cluster.Node{Name: supervisor.NodeName(name, i), Role: role, State: state})
	}
	return s
}

// Logs implements cluster.Provider: dir gets the logs of the supervisor and the control plane, and in a directory for each
// node those of its containers.
func (p *Provider) Logs(ctx context.Context, name, dir string) error {
	if _, err := p.existing(name); err != nil {
		return err
	}
	from := p.store.ClusterDir(name)
	if err := copyLogs(ctx, controlplane.LogDir(from), dir); err != nil {
		return fmt.Errorf("logs of cluster %q: %w", name, err)
	}
	if err := copyLogs(ctx, supervisor.NodesDir(from), dir); err != nil {
		return fmt.Errorf("logs of cluster %q: %w", name, err)
	}
	return nil
}

// copyLogs copies all logs below a directory. Those that go while they are copied, with their pods, are no matter.
func copyLogs(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case os.IsNotExist(err):
			return nil
		case err != nil:
			return err
		case entry.IsDir() || filepath.Ext(path) != ".log":
			return nil
		}
		return copyLog(from, path, to)
	})
}

func copyLog(from, path, to string) error {
	relative, err := filepath.Rel(from, path)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	target := filepath.Join(to, relative)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, text, 0o600)
}
