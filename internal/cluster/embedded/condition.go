package embedded

import (
	"context"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// aliveTimeout bounds one question to an API server on this machine.
const aliveTimeout = 5 * time.Second

// condition is what a cluster looks like from outside: its record, and whether its supervisor runs.
type condition struct {
	state  cluster.State
	record *record // nil if Absent
	// why says what is wrong when the state is HalfCreated or Stopped.
	why string
}

// examine finds out the condition of a cluster.
func (p *Provider) examine(name string) (condition, error) {
	rec, err := p.store.Load(name)
	if err != nil {
		return condition{}, err
	}
	return judge(rec, rec != nil && rec.Supervisor.runs()), nil
}

// judge is the pure part of examine.
func judge(rec *record, runs bool) condition {
	c := condition{record: rec}
	switch {
	case rec == nil:
		c.state = cluster.Absent
	case !rec.finished():
		c.state, c.why = cluster.HalfCreated, "its creation did not come to an end"
	case !runs:
		c.state, c.why = cluster.Stopped, "its supervisor does not run"
	default:
		c.state = cluster.Running
	}
	return c
}

// alive asks once whether the API server answers and all nodes are Ready.
func (p *Provider) alive(ctx context.Context, name string, rec *record) error {
	c, err := p.describe(name, rec)
	if err != nil {
		return err
	}
	client, err := kube.New(c.Config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	return client.NodesReady(ctx, rec.Nodes)
}
