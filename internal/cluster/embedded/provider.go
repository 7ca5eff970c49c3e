// Package embedded creates clusters without a container engine: a real control plane, as processes
// of this machine, and simulated nodes.
//
// A cluster is one process, the supervisor, and its children. The supervisor is PID 1 of a PID
// namespace, with its own network and mount namespaces, and a user namespace unless it is root.
// When it exits, the kernel ends everything in the cluster. Only files in the state directory
// remain.
//
// Reading order:
//
//	provider.go    how Up, Down, and Get start, find, and stop the supervisor
//	supervisor/    the start of everything inside
//	controlplane/  etcd and the Kubernetes programs: certificates, arguments, readiness
//	network/       a network namespace for each node and each pod, and the routes between them
//	container/     images, and processes that are containers: root directory, mounts, logs, exec
//	podspec/       what a pod's manifest means for its containers: environment, volumes, tokens
//	kubelet/       a node: registers itself, runs its pods, reports their status
//	nodeapi/       the node's HTTPS API: kubectl logs, exec, and port-forward
//	service/       cluster IPs, node ports, and cluster DNS
//	relay/         copies the bytes of a connection between networks
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
)

// Name is the provider's value of --cluster.
const Name = "embedded"

// stopTimeout limits the wait for the supervisor's exit after a failure or Ctrl-C.
const stopTimeout = 30 * time.Second

// Options configure a provider.
type Options struct {
	// StateDir contains the clusters. The default is ingresslab/embedded in the XDG state directory.
	StateDir string
	// Binaries finds or compiles the control plane for the start of a cluster.
	Binaries func(ctx context.Context, progress cluster.Progress) (controlplane.Binaries, error)
	// Executable is called with supervisor.ChildCommand. The default is the running program.
	Executable string
}

// provider manages embedded clusters. It is safe for concurrent use, also by several processes.
//
// The directory of a cluster contains, in addition to the record and the kubeconfig:
//
//	pki/      certificates and keys
//	etcd/     the data
//	images/   the images of the nodes
//	nodes/    the pods' files, for each node
//	logs/     of the supervisor and the control plane
type provider struct {
	*cluster.Lifecycle[record, *record]
	options Options

	mu sync.Mutex
	// pipes maps cluster names to the supervisors that this process started and has not kept.
	pipes map[string]*lifetimePipe
}

// record extends the shared record. Only the API server's port ever changes.
type record struct {
	cluster.Record
	APIPort int `json:"apiPort"`
	// Supervisor is the process of the latest start.
	Supervisor process `json:"supervisor,omitzero"`
	// Kubernetes is the version of the control plane.
	Kubernetes string `json:"kubernetes,omitempty"`
}

type condition = cluster.Condition[record]

var _ cluster.Provider = (*provider)(nil)

// New returns a provider. It does not create or change files.
func New(o Options) *provider {
	p := &provider{options: o, pipes: map[string]*lifetimePipe{}}
	p.Lifecycle = cluster.NewLifecycle[record, *record](Name, o.StateDir, p)
	return p
}

func (p *provider) Name() string { return Name }

func (p *provider) Info() cluster.Info {
	return cluster.Info{
		Noun: "an embedded cluster", Summary: "a real control plane and simulated nodes, as processes of this machine (Linux)",
		Instead: "--cluster embedded needs no Docker", Manifests: "manifests/kind",
	}
}

func (p *provider) Ready(context.Context, cluster.Spec, cluster.Progress) (string, error) {
	if err := checkMachine(); err != nil {
		return "", &cluster.UnreadyError{Why: "embedded clusters cannot run here", Cause: err}
	}
	return "this machine allows the namespaces that it needs", nil
}

func (p *provider) Check(_ context.Context, spec cluster.Spec) error {
	if spec.NodeImage != "" {
		return &cluster.SpecError{Flag: "--node-image", Why: "embedded clusters simulate their nodes, which run no image"}
	}
	return nil
}

func (p *provider) Inspect(_ context.Context, name string) (condition, error) {
	rec, err := p.Load(name)
	if err != nil {
		return condition{}, err
	}
	return judge(name, rec, rec != nil && rec.Supervisor.runs()), nil
}

// judge implements Inspect, but without I/O.
func judge(name string, rec *record, runs bool) condition {
	c := condition{Record: rec}
	state := "stopped"
	switch {
	case rec == nil:
		c.State = cluster.Absent
		return c
	case !rec.Finished():
		c.State, c.Why = cluster.HalfCreated, "its creation did not finish"
	case !runs:
		c.State, c.Why = cluster.Stopped, "its supervisor does not run"
	default:
		c.State, state = cluster.Running, "running"
	}
	for i := range rec.Nodes {
		role := "worker"
		if i == 0 {
			role = "control-plane"
		}
		c.Nodes = append(c.Nodes, cluster.Node{Name: supervisor.NodeName(name, i), Role: role, State: state})
	}
	return c
}

func (p *provider) Create(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (*record, error) {
	rec := &record{Record: cluster.Record{Nodes: spec.Nodes, Created: time.Now().UTC()}}
	if rec.Nodes == 0 {
		rec.Nodes = cluster.DefaultNodes
	}
	l, err := p.open(ctx, spec, rec, progress)
	if err != nil {
		return nil, err
	}
	defer l.close()
	if err := p.start(ctx, spec.Name, rec, l, true, progress); err != nil {
		return nil, fmt.Errorf("create cluster %q: %w", spec.Name, err)
	}
	return rec, nil
}

// Revive restarts a broken cluster with its data. If that fails, it leaves the cluster stopped.
func (p *provider) Revive(ctx context.Context, name string, c condition, progress cluster.Progress) (replace bool, err error) {
	rec := c.Record
	if err := p.EnsureKubeconfig(name, rec); err != nil {
		return false, err
	}
	if c.State == cluster.Running {
		err := p.Alive(ctx, p.Kubeconfig(name), rec.Nodes)
		if err == nil {
			return false, nil
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		progress.Note(fmt.Sprintf("cluster %q does not work (%v); restarting it", name, err))
	}
	if err := stop(ctx, rec); err != nil {
		return false, err
	}
	l, err := p.reopen(ctx, rec, progress)
	if err != nil {
		return false, err
	}
	defer l.close()
	err = p.start(ctx, name, rec, l, false, progress)
	var damaged *damagedError
	if errors.As(err, &damaged) {
		return false, &cluster.DamagedError{Name: name, Why: damaged.Error()}
	}
	if err != nil {
		return false, fmt.Errorf("restart cluster %q: %w (logs: %s)", name, err, controlplane.LogDir(p.ClusterDir(name)))
	}
	return false, nil
}

// start starts the supervisor and waits until the cluster is Ready. fresh means a new cluster.
func (p *provider) start(ctx context.Context, name string, rec *record, l *listeners, fresh bool, progress cluster.Progress) error {
	if err := checkMachine(); err != nil {
		return err
	}
	if p.options.Binaries == nil {
		return errors.New("no control plane is set")
	}
	binaries, err := p.options.Binaries(ctx, progress)
	if err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	rec.Kubernetes = binaries.Version
	if err := p.Save(name, rec); err != nil {
		return err
	}
	if err := p.EnsureKubeconfig(name, rec); err != nil {
		return err
	}
	pipe, err := launch(supervisor.Request{
		Name: name, Dir: p.ClusterDir(name), New: fresh, Lock: p.LockFile(name), Nodes: rec.Nodes,
		Binaries: binaries, Executable: p.options.Executable,
	}, l)
	if err != nil {
		return err
	}
	rec.Supervisor = pipe.process
	if err = p.Save(name, rec); err == nil {
		err = pipe.follow(ctx, progress)
	}
	if err == nil {
		err = p.MarkReady(name, rec)
	}
	if err != nil {
		return errors.Join(err, pipe.kill(ctx))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pipes[name] = pipe
	return nil
}

// Keep detaches the cluster from this process, which called Up.
func (p *provider) Keep(_ context.Context, name string) error {
	pipe := p.takePipe(name)
	if pipe == nil {
		return nil
	}
	if err := pipe.release(); err != nil {
		return &cluster.BrokenError{Name: name, Why: "the supervisor has exited: " + err.Error()}
	}
	return nil
}

// takePipe removes and returns the lifetime pipe of a cluster. It returns nil if none exists.
func (p *provider) takePipe(name string) *lifetimePipe {
	p.mu.Lock()
	defer p.mu.Unlock()
	pipe := p.pipes[name]
	delete(p.pipes, name)
	return pipe
}

// WaitDNS implements cluster.Provider. It does nothing, because Up waits for the DNS.
func (p *provider) WaitDNS(context.Context, string, cluster.Progress) error { return nil }

// Delete implements cluster.Backend. It stops the supervisor, which ends the whole cluster.
func (p *provider) Delete(ctx context.Context, name string, c condition) error {
	if c.Record != nil {
		if err := stop(ctx, c.Record); err != nil {
			return err
		}
	}
	if pipe := p.takePipe(name); pipe != nil {
		pipe.close()
	}
	return nil
}

// stop kills the supervisor and waits. All its children end before it (pid_namespaces(7)).
func stop(ctx context.Context, rec *record) error {
	if err := rec.Supervisor.end(ctx); err != nil {
		return fmt.Errorf("stop the supervisor: %w", err)
	}
	return nil
}

// contextName is the name of a cluster's context, cluster, and user in kubeconfig files.
func contextName(name string) string { return Name + "-" + name }

// EnsureKubeconfig implements cluster.Backend. It keeps the user's changes, such as the namespace.
func (p *provider) EnsureKubeconfig(name string, rec *record) error {
	path, server := p.Kubeconfig(name), fmt.Sprintf("https://%s:%d", cluster.Loopback, rec.APIPort)
	cfg, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		authority, err := controlplane.OpenAuthority(controlplane.PKIDir(p.ClusterDir(name)))
		if err != nil {
			return err
		}
		return controlplane.WriteKubeconfig(authority, path, contextName(name), server)
	}
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	if c := cfg.Clusters[contextName(name)]; c != nil && c.Server != server {
		c.Server = server
		if err := clientcmd.WriteToFile(*cfg, path); err != nil {
			return fmt.Errorf("kubeconfig %s: %w", path, err)
		}
		if rec.MergedInto != "" {
			return cluster.MergeKubeconfig(path, rec.MergedInto)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("kubeconfig of cluster %q: %w", name, err)
	}
	return nil
}

// ImageNodes implements cluster.Provider. The nodes of a cluster share one store.
func (p *provider) ImageNodes(ctx context.Context, name string) ([]cluster.ImageNode, error) {
	if _, err := p.Existing(ctx, name); err != nil {
		return nil, err
	}
	return []cluster.ImageNode{imageNode{name, container.NewStore(supervisor.ImageDir(p.ClusterDir(name)))}}, nil
}

// imageNode implements cluster.ImageNode for all nodes of a cluster.
type imageNode struct {
	name  string
	store *container.Store
}

func (n imageNode) Name() string { return n.name }

func (n imageNode) Images(context.Context) (map[string]string, error) { return n.store.Images() }

func (n imageNode) Import(ctx context.Context, archive io.Reader) error {
	return n.store.Import(ctx, archive)
}
