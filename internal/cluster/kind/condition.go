package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// condition is what a cluster looks like from outside: its record against its
// containers. Whether its API server answers is for ready.go.
type condition struct {
	state      cluster.State
	record     *record // nil if Absent
	containers []container
	// why says what is wrong when the state is HalfCreated or Stopped.
	why string
}

// foreignError says that a kind cluster of the name exists that the lab did
// not make, and will therefore not touch.
type foreignError struct{ name string }

func (e *foreignError) Error() string {
	return fmt.Sprintf("a kind cluster %q exists that ingresslab did not make; choose another --name, or remove it with `kind delete cluster --name %s`",
		e.name, e.name)
}

// examine finds out the condition of a cluster. A cluster of ours without a
// record, e.g. made by another user of this machine, is adopted.
func (p *Provider) examine(ctx context.Context, name string) (condition, error) {
	rec, err := p.store.Load(name)
	if err != nil {
		return condition{}, err
	}
	containers, err := p.engine.nodes(ctx, name)
	if err != nil {
		return condition{}, err
	}
	if rec == nil && len(containers) > 0 {
		if rec, err = p.adopt(ctx, name, containers); err != nil {
			return condition{}, err
		}
	}
	return judge(rec, containers), nil
}

// names returns the names of the containers.
func (c condition) names() []string {
	var names []string
	for _, ct := range c.containers {
		names = append(names, ct.name)
	}
	return names
}

// judge is the pure part of examine.
func judge(rec *record, containers []container) condition {
	c := condition{record: rec, containers: containers}
	var stopped []string
	for _, ct := range containers {
		if ct.state != "running" {
			stopped = append(stopped, ct.name+" is "+ct.state)
		}
	}
	switch {
	case rec == nil:
		c.state = cluster.Absent
	case !rec.finished():
		c.state, c.why = cluster.HalfCreated, "its creation did not come to an end"
	case len(containers) == 0:
		c.state, c.why = cluster.HalfCreated, "its nodes are gone"
	case len(containers) < rec.Nodes:
		c.state, c.why = cluster.HalfCreated, fmt.Sprintf("%d of its %d nodes are gone", rec.Nodes-len(containers), rec.Nodes)
	case len(stopped) > 0 && slices.ContainsFunc(containers, startable):
		c.state, c.why = cluster.Stopped, strings.Join(stopped, ", ")
	case len(stopped) > 0:
		c.state, c.why = cluster.HalfCreated, strings.Join(stopped, ", ")
	default:
		c.state = cluster.Running
	}
	return c
}

// startable tells whether a container was stopped as a whole, e.g. by a
// restart of the engine, and can go on.
func startable(c container) bool { return c.state == "exited" }

// adopt makes a record from the containers of a cluster that has none. Ours
// are told from other kind clusters by the port of the status page. It counts
// as finished; if it is not, its API server will not answer.
func (p *Provider) adopt(ctx context.Context, name string, containers []container) (*record, error) {
	i := slices.IndexFunc(containers, func(c container) bool { return c.role == "control-plane" })
	if i < 0 {
		return nil, &foreignError{name}
	}
	ports, err := p.engine.published(ctx, containers[i].name)
	if err != nil {
		return nil, err
	}
	if ports[containerStatusPort] == 0 || ports[containerHTTPPort] == 0 || ports[containerHTTPSPort] == 0 {
		return nil, &foreignError{name}
	}
	return &record{
		Nodes:      len(containers),
		HTTPPort:   ports[containerHTTPPort],
		HTTPSPort:  ports[containerHTTPSPort],
		StatusPort: ports[containerStatusPort],
		Ready:      time.Now().UTC(),
	}, nil
}

// differences says where an existing cluster is not what spec asks for.
func differences(spec cluster.Spec, has *record) []string {
	diffs := spec.Differences(has.Nodes, [3]int{has.HTTPPort, has.HTTPSPort, has.StatusPort})
	if spec.NodeImage != "" && has.NodeImage != "" && spec.NodeImage != has.NodeImage {
		diffs = append(diffs, fmt.Sprintf("--node-image: has %s, asked for %s", has.NodeImage, spec.NodeImage))
	}
	return diffs
}

// isForeign tells whether an error says that a cluster is not ours.
func isForeign(err error) bool {
	var fe *foreignError
	return errors.As(err, &fe)
}
