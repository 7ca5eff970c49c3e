package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// Get implements cluster.Provider.
func (p *Provider) Get(ctx context.Context, name string) (*cluster.Cluster, error) {
	c, err := p.existing(ctx, name)
	if err != nil {
		return nil, err
	}
	if c.state != cluster.Running {
		return nil, &cluster.BrokenError{Name: name, Why: c.why}
	}
	if err := p.ensureKubeconfig(name); err != nil {
		return nil, err
	}
	if err := p.alive(ctx, p.store.Kubeconfig(name), c.record.Nodes); err != nil {
		return nil, &cluster.BrokenError{Name: name, Why: err.Error()}
	}
	return p.describe(name, c.record)
}

// existing returns the condition of a cluster that is there in some form.
func (p *Provider) existing(ctx context.Context, name string) (condition, error) {
	if err := (cluster.Spec{Name: name}).Check(); err != nil {
		return condition{}, err
	}
	if err := p.engine.check(ctx); err != nil {
		return condition{}, err
	}
	c, err := p.examine(ctx, name)
	if err != nil {
		return condition{}, err
	}
	if c.state == cluster.Absent {
		return condition{}, &cluster.NotFoundError{Name: name}
	}
	return c, nil
}

// List implements cluster.Provider. Without an engine it lists the clusters that have a record, for they may be there when
// the engine is started again.
func (p *Provider) List(ctx context.Context) ([]cluster.Summary, error) {
	names, err := p.store.Names()
	if err != nil {
		return nil, err
	}
	if err := p.engine.check(ctx); err != nil {
		return p.unreachable(names, err)
	}
	containers, err := p.engine.nodes(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, c := range containers {
		names = append(names, c.cluster)
	}
	slices.Sort(names)
	var list []cluster.Summary
	for _, name := range slices.Compact(names) {
		c, err := p.examine(ctx, name)
		if isForeign(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, summary(name, c))
	}
	return list, nil
}

// unreachable lists clusters whose engine does not answer.
func (p *Provider) unreachable(names []string, engineErr error) ([]cluster.Summary, error) {
	var none *cluster.NoEngineError
	if !errors.As(engineErr, &none) {
		return nil, engineErr
	}
	var list []cluster.Summary
	for _, name := range names {
		rec, err := p.store.Load(name)
		if err != nil || rec == nil {
			continue // a directory without a record is no cluster
		}
		list = append(list, cluster.Summary{
			Name: name, State: cluster.Unreachable, Created: rec.Created, Problem: "no Docker engine answers: " + none.Cause.Error(),
		})
	}
	return list, nil
}

// Available returns a *cluster.NoEngineError unless an engine answers.
func (p *Provider) Available(ctx context.Context) error { return p.engine.check(ctx) }

func summary(name string, c condition) cluster.Summary {
	s := cluster.Summary{Name: name, State: c.state, Problem: c.why, Created: c.record.Created}
	for _, ct := range c.containers {
		s.Nodes = append(s.Nodes, cluster.Node{Name: ct.name, Role: ct.role, State: ct.state})
	}
	slices.SortFunc(s.Nodes, func(a, b cluster.Node) int {
		if len(a.Name) != len(b.Name) {
			return len(a.Name) - len(b.Name) // worker, worker2, ..., worker10
		}
		return slices.Compare([]byte(a.Name), []byte(b.Name))
	})
	return s
}

// Logs implements cluster.Provider. kind cannot be stopped while it collects;
// if ctx ends first, it goes on until the program ends.
func (p *Provider) Logs(ctx context.Context, name, dir string) error {
	if _, err := p.existing(ctx, name); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- kindLibrary().CollectLogs(name, dir) }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("logs of cluster %q: some are missing: %w", name, err)
		}
		return nil
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), fmt.Errorf("logs of cluster %q: what is in %s is not complete", name, dir))
	}
}
