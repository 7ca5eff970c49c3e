package kind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

const (
	// network is the Docker network that kind puts its nodes in. It is shared
	// by all kind clusters of a machine.
	network = "kind"
	// cleanUpTimeout bounds the removal that follows a failure or a Ctrl-C.
	cleanUpTimeout = 2 * time.Minute
	// settleInterval is how often containers are looked for after kind was
	// stopped in the middle of its work.
	settleInterval = 200 * time.Millisecond
	// settleRounds is how many looks in a row must find nothing. A `docker run`
	// that was killed may have a request under way in the daemon, which then
	// makes a container with no client left.
	settleRounds = 6
)

// Down implements cluster.Provider.
func (p *Provider) Down(ctx context.Context, name string, progress cluster.Progress) error {
	spec := cluster.Spec{Name: name}.WithDefaultName()
	if err := spec.Check(); err != nil {
		return err
	}
	if err := p.engine.check(ctx); err != nil {
		if rec, loadErr := p.store.Load(spec.Name); rec == nil && loadErr == nil {
			progress.Note(fmt.Sprintf("there is no cluster %q", spec.Name))
			return nil // no engine, and no trace of a cluster either
		}
		return err
	}
	unlock, err := p.lock(ctx, spec.Name, progress)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := p.examine(ctx, spec.Name)
	if err != nil {
		return err
	}
	if c.state == cluster.Absent {
		progress.Note(fmt.Sprintf("there is no cluster %q", spec.Name))
		return p.remove(ctx, spec.Name, c)
	}
	return p.removeWithStep(ctx, spec.Name, c, progress)
}

func (p *Provider) removeWithStep(ctx context.Context, name string, c condition, progress cluster.Progress) (err error) {
	done := progress.Step("Removing cluster " + name)
	defer func() { done(err) }()
	return p.remove(ctx, name, c)
}

// cleanUp removes what a failed or canceled Up has made. The context of that
// Up may have ended, so its own time is bounded.
func (p *Provider) cleanUp(ctx context.Context, name string, progress cluster.Progress) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
	defer cancel()
	rec, err := p.store.Load(name)
	if err == nil {
		err = p.removeWithStep(ctx, name, condition{state: cluster.HalfCreated, record: rec}, progress)
	}
	if err != nil {
		return fmt.Errorf("clean up: %w; `ingresslab down --name %s` tries again", err, name)
	}
	return nil
}

// remove removes the nodes, the files, the context in the user's kubeconfig,
// and the network if it was our making. The record goes last but for the
// network, so that an interrupted removal is taken up by the next command.
func (p *Provider) remove(ctx context.Context, name string, c condition) error {
	rounds := 0
	if c.record != nil && !c.record.finished() {
		rounds = settleRounds
	}
	if err := p.removeNodes(ctx, name, rounds); err != nil {
		return err
	}
	if err := p.unmerge(name, c.record); err != nil {
		return err
	}
	if err := p.store.Forget(name); err != nil {
		return err
	}
	return p.releaseNetwork(ctx)
}

// removeNodes removes the cluster's containers until looking for them has
// found none, and then none for so many rounds more.
func (p *Provider) removeNodes(ctx context.Context, name string, rounds int) error {
	for quiet := 0; ; {
		containers, err := p.engine.nodes(ctx, name)
		if err != nil {
			return err
		}
		var names []string
		for _, c := range containers {
			names = append(names, c.name)
		}
		if len(names) == 0 {
			if quiet++; quiet > rounds {
				return nil
			}
		} else {
			quiet = 0
			if err := p.engine.remove(ctx, names...); err != nil {
				return err
			}
		}
		select {
		case <-time.After(p.settle):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// claimNetwork notes that the network of the nodes does not exist yet, so that
// it will be of our making.
func (p *Provider) claimNetwork(ctx context.Context) error {
	exists, _, err := p.engine.network(ctx, network)
	if err != nil || exists {
		return err
	}
	if err := os.MkdirAll(p.store.Dir, 0o700); err != nil {
		return fmt.Errorf("note the network of the nodes: %w", err)
	}
	if err := os.WriteFile(p.store.networkFile(), nil, 0o600); err != nil {
		return fmt.Errorf("note the network of the nodes: %w", err)
	}
	return nil
}

// releaseNetwork removes the network if it was our making and nobody is in it.
// A stopped cluster of somebody else counts: it could not start again.
func (p *Provider) releaseNetwork(ctx context.Context) error {
	if _, err := os.Stat(p.store.networkFile()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	exists, users, err := p.engine.network(ctx, network)
	if err != nil || users > 0 {
		return err
	}
	if exists {
		if err := p.engine.removeNetwork(ctx, network); err != nil {
			return err
		}
	}
	return os.Remove(p.store.networkFile())
}
