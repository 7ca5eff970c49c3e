package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// provision creates a cluster where none is. Whatever goes wrong from the moment
// that something exists, and canceling is one such thing, is followed by
// removing all of it.
func (p *Provider) provision(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (*cluster.Cluster, error) {
	rec, err := p.plan(ctx, spec, progress)
	if err != nil {
		return nil, err
	}
	cgroupV1, err := p.engine.cgroupV1(ctx)
	if err != nil {
		return nil, err
	}
	if note := p.raiseLimits(); note != "" {
		progress.Note(note)
	}
	if err := p.claimNetwork(ctx); err != nil {
		return nil, err
	}
	if err := p.store.Save(spec.Name, rec); err != nil {
		return nil, err
	}
	c, err := p.build(ctx, spec, rec, cgroupV1, progress)
	if err == nil {
		return c, nil
	}
	err = p.keepLog(spec.Name, err)
	if spec.KeepOnFailure {
		progress.Note(fmt.Sprintf("kept what there is of cluster %q; `ingresslab down --name %s` removes it", spec.Name, spec.Name))
		return nil, err
	}
	return nil, errors.Join(err, p.cleanUp(ctx, spec.Name, progress))
}

// plan decides everything about a new cluster and touches nothing but, perhaps,
// the node image.
func (p *Provider) plan(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (*record, error) {
	// A port that is taken is said before an image is built for minutes...
	if _, err := p.choosePorts(ctx, spec); err != nil {
		return nil, err
	}
	image := spec.NodeImage
	if image == "" {
		if p.nodeImage == nil {
			return nil, errors.New("--node-image: there is no default node image")
		}
		var err error
		if image, err = p.nodeImage(ctx, progress); err != nil {
			return nil, fmt.Errorf("node image: %w", err)
		}
	}
	// ... and may be taken by the time the image is there.
	ports, err := p.choosePorts(ctx, spec)
	if err != nil {
		return nil, err
	}
	nodes := spec.Nodes
	if nodes == 0 {
		nodes = cluster.DefaultNodes
	}
	return &record{
		Nodes: nodes, NodeImage: image, Created: time.Now().UTC(),
		HTTPPort: ports[0], HTTPSPort: ports[1], StatusPort: ports[2],
	}, nil
}

// build runs kind and waits until its nodes are Ready.
func (p *Provider) build(
	ctx context.Context, spec cluster.Spec, rec *record, cgroupV1 bool, progress cluster.Progress,
) (*cluster.Cluster, error) {
	name := spec.Name
	req := request{Name: name, Config: config(name, rec, cgroupV1), Kubeconfig: p.store.Kubeconfig(name)}
	if err := p.create(ctx, req, progress); err != nil {
		return nil, fmt.Errorf("create cluster %q: %w", name, err)
	}
	if err := p.ensureKubeconfig(name); err != nil {
		return nil, err
	}
	if err := p.awaitNodes(ctx, name, rec.Nodes, progress); err != nil {
		return nil, fmt.Errorf("cluster %q: %w", name, err)
	}
	if spec.MergeKubeconfig {
		if err := p.merge(name, rec); err != nil {
			return nil, err
		}
	}
	rec.Ready = time.Now().UTC()
	if err := p.store.Save(name, rec); err != nil {
		return nil, err
	}
	c, err := p.describe(name, rec)
	if err != nil {
		return nil, err
	}
	c.Created = true
	return c, nil
}

func (p *Provider) awaitNodes(ctx context.Context, name string, nodes int, progress cluster.Progress) (err error) {
	done := progress.Step("Waiting for the nodes")
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, createReadyTimeout)
	defer cancel()
	return p.waitNodes(ctx, p.store.Kubeconfig(name), nodes)
}

// Settle waits for the cluster's DNS.
func (p *Provider) Settle(ctx context.Context, name string, progress cluster.Progress) (err error) {
	done := progress.Step("Waiting for the cluster's DNS")
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, createReadyTimeout)
	defer cancel()
	if err := p.waitDNS(ctx, p.store.Kubeconfig(name)); err != nil {
		return fmt.Errorf("cluster %q: %w", name, err)
	}
	return nil
}

// keepLog saves what kind said when it failed, and tells where.
func (p *Provider) keepLog(name string, err error) error {
	var ce *createError
	if !errors.As(err, &ce) || ce.log == "" {
		return err
	}
	path := p.store.LogFile(name)
	if writeErr := os.WriteFile(path, []byte(ce.log), 0o600); writeErr != nil {
		return err // the failure itself is what matters
	}
	return fmt.Errorf("%w (kind's log: %s)", err, path)
}
