package kind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// network is the Docker network of kind's nodes. All kind clusters of a machine share it.
	network = "kind"
	// settleInterval is the pause between two searches for containers.
	settleInterval = 200 * time.Millisecond
	// settleRounds is how many searches in a row must find nothing after kind was killed. A killed
	// `docker run` can have a pending request, and the daemon then creates a container without a client.
	settleRounds = 6
)

// Delete implements cluster.Backend: it removes the nodes, and the network if ingresslab created it.
func (p *Provider) Delete(ctx context.Context, name string, c condition) error {
	rounds := 0
	if c.Record != nil && !c.Record.Finished() {
		rounds = settleRounds
	}
	if err := p.removeNodes(ctx, name, rounds); err != nil {
		return err
	}
	return p.releaseNetwork(ctx)
}

// removeNodes removes the cluster's containers until rounds+1 searches in a row find none.
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

// networkFile exists as long as the network of the nodes is one that ingresslab created.
func (p *Provider) networkFile() string { return filepath.Join(p.Dir, "network") }

// claimNetwork creates networkFile if the network does not exist yet.
func (p *Provider) claimNetwork(ctx context.Context) error {
	exists, _, err := p.engine.network(ctx, network)
	if err != nil || exists {
		return err
	}
	if err = os.MkdirAll(p.Dir, 0o700); err == nil {
		err = os.WriteFile(p.networkFile(), nil, 0o600)
	}
	if err != nil {
		return fmt.Errorf("record the network of the nodes: %w", err)
	}
	return nil
}

// releaseNetwork removes the network if ingresslab created it and no container uses it. A stopped
// cluster counts as a user: without the network it could not start again.
func (p *Provider) releaseNetwork(ctx context.Context) error {
	if _, err := os.Stat(p.networkFile()); errors.Is(err, fs.ErrNotExist) {
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
	return os.Remove(p.networkFile())
}
