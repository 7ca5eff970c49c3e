package kind

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// Inspect compares record and containers. It can adopt a cluster that another user created.
func (p *provider) Inspect(ctx context.Context, name string) (condition, error) {
	rec, err := p.Load(name)
	if err != nil {
		return condition{}, err
	}
	containers, err := p.engine.nodes(ctx, name)
	if err != nil {
		return condition{}, err
	}
	if rec == nil && len(containers) > 0 {
		if rec, err = p.adopt(ctx, containers); err != nil {
			return condition{}, err
		}
		if rec == nil {
			return condition{State: cluster.Foreign, Why: fmt.Sprintf("kind cluster %q was not created by ingresslab; "+
				"choose another --name, or run `kind delete cluster --name %[1]s` to remove it", name)}, nil
		}
	}
	return judge(rec, containers), nil
}

// judge implements Inspect, but without I/O.
func judge(rec *cluster.Record, containers []container) condition {
	c := condition{Record: rec}
	var stopped []string
	canStart := false
	for _, ct := range containers {
		c.Nodes = append(c.Nodes, cluster.Node{Name: ct.name, Role: ct.role, State: ct.state})
		if ct.state != "running" {
			stopped = append(stopped, ct.name+" is "+ct.state)
			canStart = canStart || ct.state == "exited" // stopped as a whole, for example by a restart of the engine
		}
	}
	slices.SortFunc(c.Nodes, func(a, b cluster.Node) int {
		if len(a.Name) != len(b.Name) {
			return len(a.Name) - len(b.Name) // worker, worker2, ..., worker10
		}
		return strings.Compare(a.Name, b.Name)
	})
	switch {
	case rec == nil:
		c.State = cluster.Absent
	case !rec.Finished():
		c.State, c.Why = cluster.HalfCreated, "its creation did not finish"
	case len(containers) == 0:
		c.State, c.Why = cluster.HalfCreated, "its nodes are missing"
	case len(containers) < rec.Nodes:
		c.State, c.Why = cluster.HalfCreated, fmt.Sprintf("%d of its %d nodes are missing", rec.Nodes-len(containers), rec.Nodes)
	case canStart:
		c.State, c.Why = cluster.Stopped, strings.Join(stopped, ", ")
	case len(stopped) > 0:
		c.State, c.Why = cluster.HalfCreated, strings.Join(stopped, ", ")
	default:
		c.State = cluster.Running
	}
	return c
}

// adopt returns a record, or nil for a foreign cluster, which does not publish the status port.
func (p *provider) adopt(ctx context.Context, containers []container) (*cluster.Record, error) {
	i := slices.IndexFunc(containers, func(c container) bool { return c.role == "control-plane" })
	if i < 0 {
		return nil, nil
	}
	published, err := p.engine.published(ctx, containers[i].name)
	if err != nil {
		return nil, err
	}
	ports := [3]int{published[containerHTTPPort], published[containerHTTPSPort], published[containerStatusPort]}
	if slices.Contains(ports[:], 0) {
		return nil, nil
	}
	rec := &cluster.Record{Nodes: len(containers), Ready: time.Now().UTC()}
	rec.SetPorts(ports)
	return rec, nil
}

// List returns the records if no engine responds, because the clusters might still exist.
func (p *provider) List(ctx context.Context) ([]cluster.Summary, error) {
	names, err := p.Names()
	if err != nil {
		return nil, err
	}
	err = p.engine.check(ctx)
	if none, ok := errors.AsType[*cluster.NoEngineError](err); ok {
		return p.unreachable(names, none), nil
	}
	if err != nil {
		return nil, err
	}
	containers, err := p.engine.nodes(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, c := range containers {
		names = append(names, c.cluster)
	}
	slices.Sort(names)
	return p.Summaries(ctx, slices.Compact(names))
}

// unreachable returns summaries of clusters whose engine does not respond.
func (p *provider) unreachable(names []string, none *cluster.NoEngineError) []cluster.Summary {
	var list []cluster.Summary
	for _, name := range names {
		if rec, err := p.Load(name); err == nil && rec != nil {
			problem := "no Docker engine answers: " + none.Cause.Error()
			list = append(list, cluster.Summary{Name: name, State: cluster.Unreachable, Created: rec.Created, Problem: problem})
		}
	}
	return list
}

// justStarted is the time after its start in which a node's status can be from before the start.
const justStarted = 3 * time.Minute

// Revive starts stopped nodes, and waits for nodes that have just started.
func (p *provider) Revive(ctx context.Context, name string, c condition, progress cluster.Progress) (replace bool, err error) {
	err = p.revive(ctx, name, c, progress)
	return err != nil && ctx.Err() == nil && !errors.As(err, new(*cluster.PortInUseError)), err
}

func (p *provider) revive(ctx context.Context, name string, c condition, progress cluster.Progress) (err error) {
	if c.State == cluster.Running {
		if err := p.EnsureKubeconfig(name, c.Record); err != nil {
			return err
		}
	}
	var names []string
	for _, n := range c.Nodes {
		names = append(names, n.Name)
	}
	fresh, err := p.engine.startedAt(ctx, names...)
	if err != nil {
		return err
	}
	maps.DeleteFunc(fresh, func(_ string, started time.Time) bool {
		return time.Since(started) > justStarted || !started.After(c.Record.Ready)
	})
	if c.State == cluster.Running && len(fresh) == 0 && p.Alive(ctx, p.Kubeconfig(name), c.Record.Nodes) == nil {
		return nil
	}
	done := progress.Step("Restarting cluster " + name)
	defer func() { done(err) }()
	started, err := p.startNodes(ctx, c)
	if err != nil {
		return err
	}
	maps.Copy(fresh, started)
	return p.awaitRestart(ctx, name, c.Record, fresh)
}

// startNodes starts stopped nodes and returns when each started. The cluster's ports must be free.
func (p *provider) startNodes(ctx context.Context, c condition) (map[string]time.Time, error) {
	started := map[string]time.Time{}
	for _, n := range c.Nodes {
		if n.State == "running" {
			continue
		}
		started[n.Name] = time.Now()
		if n.Role != "control-plane" {
			continue
		}
		spec := cluster.Spec{HTTPPort: c.Record.HTTPPort, HTTPSPort: c.Record.HTTPSPort, StatusPort: c.Record.StatusPort}
		if _, err := p.choosePorts(ctx, spec); err != nil {
			return nil, err
		}
	}
	if len(started) == 0 {
		return nil, nil
	}
	return started, p.engine.start(ctx, slices.Sorted(maps.Keys(started))...)
}

// awaitRestart waits until a cluster is Ready. started has the start times of restarted nodes.
func (p *provider) awaitRestart(ctx context.Context, name string, rec *cluster.Record, started map[string]time.Time) error {
	if err := p.EnsureKubeconfig(name, rec); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reuseReadyTimeout)
	defer cancel()
	kubeconfig := p.Kubeconfig(name)
	if err := p.waitRestarted(ctx, kubeconfig, started); err != nil {
		return err
	}
	if err := p.waitNodes(ctx, kubeconfig, rec.Nodes); err != nil {
		return err
	}
	if err := p.waitDNS(ctx, kubeconfig); err != nil {
		return err
	}
	return p.MarkReady(name, rec)
}
