// Package kind creates Kubernetes clusters whose nodes are containers, with kind
// (https://kind.sigs.k8s.io) as a library and Docker as the engine.
//
// Read Create in this file first. Three parts need care:
//
//   - kind takes no context. It runs in a child process with its own process group (create.go), so
//     that a canceled Up can kill it and all its children, and clean up afterwards.
//   - The containers decide which clusters exist. A small record says how they were created and
//     whether Up finished (inspect.go).
//   - kind only warns after a timeout, so the provider checks the cluster itself (nodes.go).
package kind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// Name is the provider's value of --cluster.
const Name = "kind"

// Options configure a provider.
type Options struct {
	// StateDir contains the records. The default is ingresslab/kind in the XDG state directory.
	StateDir string
	// NodeImage loads the default node image into the engine. If there is none, it builds the image.
	NodeImage func(ctx context.Context, progress cluster.Progress) (string, error)
	// ImageReady returns an *UnreadyError if NodeImage must build the image first.
	ImageReady func(ctx context.Context) (reason string, err error)
	Executable string // is called with ChildCommand; the default is the running program
}

// provider manages kind clusters. It is safe for concurrent use, also by several processes.
type provider struct {
	*cluster.Lifecycle[cluster.Record, *cluster.Record]
	options Options
	engine  engine

	// These functions access kind and the clusters. Tests replace them.
	create           func(context.Context, request, cluster.Progress) error
	exportKubeconfig func(name, path string) error
	waitNodes        func(ctx context.Context, kubeconfig string, nodes int) error
	waitDNS          func(ctx context.Context, kubeconfig string) error
	waitRestarted    func(ctx context.Context, kubeconfig string, started map[string]time.Time) error
	raiseLimits      func() (note string)
	settle           time.Duration
}

var _ cluster.Provider = (*provider)(nil)

type condition = cluster.Condition[cluster.Record]

// New returns a provider. It does not create or change files.
func New(o Options) *provider {
	p := &provider{
		options: o, engine: docker{},
		create: func(ctx context.Context, req request, progress cluster.Progress) error {
			return createInChild(ctx, o.Executable, req, progress)
		},
		exportKubeconfig: exportKubeconfig,
		waitNodes:        waitNodes,
		waitDNS:          waitDNS,
		waitRestarted:    waitRestarted,
		raiseLimits:      func() string { return raiseInotify(inotifyLimit) },
		settle:           settleInterval,
	}
	p.Lifecycle = cluster.NewLifecycle[cluster.Record, *cluster.Record](Name, o.StateDir, p)
	return p
}

func (p *provider) Name() string { return Name }

func (p *provider) Info() cluster.Info {
	return cluster.Info{Noun: "a kind cluster", Summary: "real nodes, as Docker containers", Manifests: "manifests/kind"}
}

func (p *provider) Ready(ctx context.Context, spec cluster.Spec, _ cluster.Progress) (string, error) {
	err := p.engine.check(ctx)
	var none *cluster.NoEngineError
	switch {
	case errors.As(err, &none):
		return "", &cluster.UnreadyError{
			Why: "no Docker engine answers", Cause: none.Cause, Fix: "for real nodes, install Docker (`make engine`) and pass --cluster kind",
		}
	case err != nil:
		return "", err
	case spec.NodeImage != "":
		return "--node-image names the image of its nodes", nil
	}
	return p.options.ImageReady(ctx)
}

func (p *provider) Check(ctx context.Context, _ cluster.Spec) error { return p.engine.check(ctx) }

func (p *provider) Create(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (*cluster.Record, error) {
	name := spec.Name
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
	if err := p.Save(name, rec); err != nil {
		return nil, err
	}
	req := request{Name: name, Config: config(name, rec, cgroupV1), Kubeconfig: p.Kubeconfig(name)}
	if err := p.create(ctx, req, progress); err != nil {
		return nil, fmt.Errorf("create cluster %q: %w", name, err)
	}
	if err := p.EnsureKubeconfig(name, rec); err != nil {
		return nil, err
	}
	err = p.wait(ctx, name, "Waiting for the nodes", progress, func(ctx context.Context) error {
		return p.waitNodes(ctx, p.Kubeconfig(name), rec.Nodes)
	})
	if err != nil {
		return nil, err
	}
	return rec, p.MarkReady(name, rec)
}

// plan decides the settings of a new cluster. It can build the node image, but changes no cluster.
func (p *provider) plan(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (*cluster.Record, error) {
	// Report a port in use now, not after building the image, which can take minutes.
	if _, err := p.choosePorts(ctx, spec); err != nil {
		return nil, err
	}
	rec := &cluster.Record{Nodes: spec.Nodes, NodeImage: spec.NodeImage, Created: time.Now().UTC()}
	if rec.Nodes == 0 {
		rec.Nodes = cluster.DefaultNodes
	}
	if rec.NodeImage == "" {
		if p.options.NodeImage == nil {
			return nil, errors.New("--node-image: no default node image is set")
		}
		var err error
		if rec.NodeImage, err = p.options.NodeImage(ctx, progress); err != nil {
			return nil, fmt.Errorf("node image: %w", err)
		}
	}
	// Check the ports again, because another process can take one during the build.
	ports, err := p.choosePorts(ctx, spec)
	rec.SetPorts(ports)
	return rec, err
}

// choosePorts returns free ports. Docker's own check comes later, and its error is less clear.
func (p *provider) choosePorts(ctx context.Context, spec cluster.Spec) ([3]int, error) {
	opener := cluster.PortOpener{EngineIsRoot: true, Holder: func(port int) string { return p.holder(ctx, port) }}
	ports, open, err := opener.Open(ctx, spec)
	open.Close()
	return ports, err
}

// holder describes the process or cluster that uses a port. It returns "" if that is unknown.
func (p *provider) holder(ctx context.Context, port int) string {
	c, found, err := p.engine.publisher(ctx, port)
	switch {
	case err != nil || !found:
		return cluster.PortProcess(port)
	case c.cluster == "":
		return fmt.Sprintf("container %q", c.name)
	}
	if found, err := p.Inspect(ctx, c.cluster); err == nil && found.State != cluster.Foreign {
		return fmt.Sprintf("the ingresslab cluster %q", c.cluster)
	}
	return fmt.Sprintf("the kind cluster %q", c.cluster)
}

// wait shows f as a step and limits its time.
func (p *provider) wait(ctx context.Context, name, step string, progress cluster.Progress, f func(context.Context) error) (err error) {
	done := progress.Step(step)
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, createReadyTimeout)
	defer cancel()
	if err := f(ctx); err != nil {
		return fmt.Errorf("cluster %q: %w", name, err)
	}
	return nil
}

// Keep implements cluster.Provider. It does nothing, because the engine runs the nodes.
func (p *provider) Keep(context.Context, string) error { return nil }

func (p *provider) WaitDNS(ctx context.Context, name string, progress cluster.Progress) error {
	return p.wait(ctx, name, "Waiting for the cluster's DNS", progress, func(ctx context.Context) error {
		return p.waitDNS(ctx, p.Kubeconfig(name))
	})
}

// FailureLog implements cluster.Backend. It returns the output of kind.
func (p *provider) FailureLog(_ string, err error) []byte {
	var ce *createError
	if !errors.As(err, &ce) {
		return nil
	}
	return []byte(ce.log)
}

// kindLibrary returns kind's own provider. Use it only for calls that do not create or wait.
func kindLibrary() *kindcluster.Provider {
	return kindcluster.NewProvider(kindcluster.ProviderWithDocker())
}

// EnsureKubeconfig makes the file readable only by its owner: it allows root access to all nodes.
func (p *provider) EnsureKubeconfig(name string, _ *cluster.Record) (err error) {
	path := p.Kubeconfig(name)
	if _, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		err = p.exportKubeconfig(name, path)
	}
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return fmt.Errorf("kubeconfig of cluster %q: %w", name, err)
	}
	return nil
}

// exportKubeconfig copies the kubeconfig from the control plane's container to path.
func exportKubeconfig(name, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return kindLibrary().ExportKubeConfig(name, path, false)
}

const (
	// network is the Docker network of kind's nodes. All kind clusters of a machine share it.
	network        = "kind"
	settleInterval = 200 * time.Millisecond // the time between two searches for containers
	// settleRounds is how many searches must find nothing, because a `docker run` can be in progress.
	settleRounds = 6
)

// Delete removes the nodes. It also removes the network if ingresslab created it.
func (p *provider) Delete(ctx context.Context, name string, c condition) error {
	rounds := 0
	if c.Record != nil && !c.Record.Finished() {
		rounds = settleRounds
	}
	if err := p.removeNodes(ctx, name, rounds); err != nil {
		return err
	}
	return p.releaseNetwork(ctx)
}

// removeNodes removes the cluster's containers until rounds+1 consecutive searches find none.
func (p *provider) removeNodes(ctx context.Context, name string, rounds int) error {
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

// networkFile is the path of a file that exists while the nodes' network is ingresslab's.
func (p *provider) networkFile() string { return filepath.Join(p.Dir, "network") }

// claimNetwork creates networkFile if the network does not exist yet.
func (p *provider) claimNetwork(ctx context.Context) error {
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

// releaseNetwork removes ingresslab's network if it has no containers, not even stopped ones.
func (p *provider) releaseNetwork(ctx context.Context) error {
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
