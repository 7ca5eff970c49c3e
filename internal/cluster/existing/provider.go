// Package existing uses a cluster that ingresslab did not create: a context of the user's
// kubeconfig.
//
// ingresslab installs the controller in its own namespace, and creates a namespace for each lab and
// each scenario. It changes only objects with its labels. It changes no node and no default class,
// and creates no Service that costs money. If the API server is not on this machine, the user
// confirms the first change. Down removes the objects with the labels. Read this file first, then
// install.go, which protects other objects and forwards the ports.
package existing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// Name is the provider's value of --cluster.
const Name = "existing"

const (
	// answerTimeout limits the wait for an API server, which can be slow or down.
	answerTimeout = 10 * time.Second
	// deleteTimeout limits the wait for the deletion of namespaces, which includes their pods.
	deleteTimeout = 2 * time.Minute
)

// Options select the cluster. An empty field means the value that an earlier command recorded.
type Options struct {
	// StateDir contains the records. The default is ingresslab/existing in the XDG state directory.
	StateDir string
	Context  string // required, because the current context can be any cluster
	// Kubeconfig is the file with the context. The default is kubectl's ($KUBECONFIG, ~/.kube/config).
	Kubeconfig string
	Registry   string // the registry for images; empty if the nodes have the images
	// Addresses reach the ingress, if the user knows them. Otherwise, ingresslab forwards ports.
	Addresses cluster.Addresses
	// Confirm asks the user the question. It returns an error unless the answer is yes.
	Confirm func(ctx context.Context, question string) error
}

type provider struct {
	store   cluster.Store[record]
	options Options
}

var _ cluster.Provider = (*provider)(nil)

// record stores the options of a cluster, so that later commands need no flags.
type record struct {
	Context   string            `json:"context"`
	Server    string            `json:"server"`
	Registry  string            `json:"registry,omitempty"`
	Addresses cluster.Addresses `json:"addresses,omitzero"` // only the addresses that the user set
	// Ports are the requested ports of a Spec: HTTP, HTTPS, status.
	Ports [3]int `json:"ports"`
	// Agreed is true once the user has confirmed changes.
	Agreed  bool      `json:"agreed,omitempty"`
	Created time.Time `json:"created"`
}

// New returns a provider. It does not create or change files.
func New(o Options) *provider {
	return &provider{store: cluster.Store[record]{Dir: cluster.StateDir(o.StateDir, Name)}, options: o}
}

func (p *provider) Name() string { return Name }

func (p *provider) Info() cluster.Info {
	return cluster.Info{
		Noun: "an existing cluster", Summary: "your own cluster: a --context of your kubeconfig", Manifests: "manifests/existing",
		Missing: cluster.Missing{
			cluster.Creation:     "ingresslab does not create it",
			cluster.Isolation:    "other programs use the cluster",
			cluster.ImageLoading: "its nodes pull images from a --registry, or you load them yourself (`ingresslab image save`)",
		},
	}
}

func (p *provider) Ready(context.Context, cluster.Spec, cluster.Progress) (string, error) {
	return "", &cluster.UnreadyError{Why: p.Info().Missing[cluster.Creation], Fix: "pass --context"}
}

// Up implements cluster.Provider. It records the cluster, but changes no object in it.
func (p *provider) Up(ctx context.Context, spec cluster.Spec, _ cluster.Progress) (*cluster.Cluster, error) {
	spec = spec.WithDefaultName()
	for flag, set := range map[string]bool{
		"--nodes": spec.Nodes != 0, "--node-image": spec.NodeImage != "", "--recreate": spec.Recreate, "--merge-kubeconfig": spec.MergeKubeconfig,
	} {
		if set {
			return nil, &cluster.SpecError{Flag: flag, Why: "cannot be combined with --cluster existing"}
		}
	}
	if err := spec.Check(); err != nil {
		return nil, err
	}
	rec, err := p.load(spec.Name)
	if err != nil {
		return nil, err
	}
	for i, request := range spec.Ports() {
		if request.Port != 0 {
			rec.Ports[i] = request.Port
		}
	}
	c, err := p.describe(ctx, spec.Name, rec)
	if err != nil {
		return nil, err
	}
	return c, p.store.Save(spec.Name, rec)
}

// load returns the record with current options. Without a context, it returns a *SpecError.
func (p *provider) load(name string) (*record, error) {
	rec, err := p.store.Load(name)
	if err != nil {
		return nil, err
	}
	o := p.options
	if rec == nil || rec.Context == "" {
		if o.Context == "" {
			return nil, &cluster.SpecError{Flag: "--context", Why: "name a context of your kubeconfig" + listContexts(o.Kubeconfig)}
		}
		rec = &record{Context: o.Context, Created: time.Now().UTC()}
		if rec.Server, err = p.copyContext(name); err != nil {
			return nil, err
		}
	}
	if o.Context != "" && o.Context != rec.Context {
		return nil, fmt.Errorf("cluster %q is context %q; run `ingresslab down --name %[1]s`, or choose another --name", name, rec.Context)
	}
	for _, a := range []struct{ option, recorded *string }{
		{&o.Registry, &rec.Registry}, {&o.Addresses.HTTP, &rec.Addresses.HTTP},
		{&o.Addresses.HTTPS, &rec.Addresses.HTTPS}, {&o.Addresses.Status, &rec.Addresses.Status},
	} {
		if *a.option != "" {
			*a.recorded = *a.option
		}
	}
	return rec, nil
}

// describe returns the Cluster of a record. It reads the cluster's nodes.
func (p *provider) describe(ctx context.Context, name string, rec *record) (*cluster.Cluster, error) {
	path := p.store.Kubeconfig(name)
	cfg, err := cluster.LoadConfig(path)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("context %q: %w", rec.Context, err)
	}
	within, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	nodes, err := client.CoreV1().Nodes().List(within, metav1.ListOptions{})
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &cluster.BrokenError{Name: name, Why: fmt.Sprintf("context %q (%s): %v", rec.Context, rec.Server, err)}
	}
	if err := checkArchitecture(nodes.Items); err != nil {
		return nil, fmt.Errorf("context %q: %w", rec.Context, err)
	}
	missing := maps.Clone(p.Info().Missing)
	if len(nodes.Items) < 2 {
		missing[cluster.Nodes] = "the cluster has one node"
	}
	return &cluster.Cluster{
		Name: name, Provider: Name, Kubeconfig: path, Config: cfg, Addresses: rec.Addresses, Missing: missing,
		Overrides: cluster.Overrides{Classes: map[string]string{"nginx": "ingresslab"}},
		Registry:  rec.Registry, Forward: forwardCommand(expectedPorts(rec.Ports)),
	}, nil
}

func (p *provider) Get(ctx context.Context, name string) (*cluster.Cluster, error) {
	rec, err := p.load(name)
	if errors.As(err, new(*cluster.SpecError)) {
		return nil, &cluster.NotFoundError{Name: name}
	}
	if err != nil {
		return nil, err
	}
	return p.describe(ctx, name, rec)
}

// List sends no request, because a slow API server would slow down every command.
func (p *provider) List(context.Context) ([]cluster.Summary, error) {
	names, err := p.store.Names()
	if err != nil {
		return nil, err
	}
	var list []cluster.Summary
	for _, name := range names {
		if rec, err := p.store.Load(name); err == nil && rec != nil && rec.Context != "" {
			list = append(list, cluster.Summary{Name: name, State: cluster.Running, Created: rec.Created})
		}
	}
	return list, nil
}

// Logs returns no node logs, which belong to the cluster's owner. The objects include pod logs.
func (p *provider) Logs(ctx context.Context, name, dir string) error {
	if _, err := p.Get(ctx, name); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o755)
}

// Keep implements cluster.Provider. It does nothing: the cluster always outlives this process.
func (p *provider) Keep(context.Context, string) error { return nil }

// WaitDNS implements cluster.Provider. It does nothing, because Up never creates the cluster.
func (p *provider) WaitDNS(context.Context, string, cluster.Progress) error { return nil }

// ImageNodes implements cluster.Provider. It returns nil, because no node accepts images.
func (p *provider) ImageNodes(context.Context, string) ([]cluster.ImageNode, error) { return nil, nil }

// Down removes the objects with ingresslab's labels, and the record.
func (p *provider) Down(ctx context.Context, name string, progress cluster.Progress) (err error) {
	c, err := p.Get(ctx, name)
	if errors.As(err, new(*cluster.NotFoundError)) {
		progress.Note(fmt.Sprintf("cluster %q does not exist", name))
		return nil
	}
	if err != nil {
		return err
	}
	k, err := kube.New(c.Config)
	if err != nil {
		return err
	}
	done := progress.Step("Removing ingresslab's objects from cluster " + name)
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	if err := remove(ctx, k); err != nil {
		return err
	}
	return p.store.Forget(name)
}

// loadKubeconfig reads the file at path, or the user's kubeconfig if path is empty.
func loadKubeconfig(path string) (*clientcmdapi.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = path
	cfg, err := rules.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &cluster.SpecError{Flag: "--kubeconfig", Why: path + " not found"}
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return cfg, nil
}

// listContexts returns the contexts of a kubeconfig, to append to an error: ": a, b".
func listContexts(path string) string {
	cfg, err := loadKubeconfig(path)
	if err != nil || len(cfg.Contexts) == 0 {
		return "; it has no context"
	}
	return ": " + strings.Join(slices.Sorted(maps.Keys(cfg.Contexts)), ", ")
}

// copyContext writes the context to the cluster's own kubeconfig. It returns the API server's URL.
func (p *provider) copyContext(name string) (server string, err error) {
	cfg, err := loadKubeconfig(p.options.Kubeconfig)
	if err != nil {
		return "", err
	}
	chosen := cfg.Contexts[p.options.Context]
	if chosen == nil {
		why := fmt.Sprintf("context %q not found%s", p.options.Context, listContexts(p.options.Kubeconfig))
		return "", &cluster.SpecError{Flag: "--context", Why: why}
	}
	target := cfg.Clusters[chosen.Cluster]
	if target == nil {
		why := fmt.Sprintf("context %q refers to cluster %q, which the kubeconfig does not contain", p.options.Context, chosen.Cluster)
		return "", &cluster.SpecError{Flag: "--context", Why: why}
	}
	own := cfg.DeepCopy()
	own.CurrentContext = p.options.Context
	if err = clientcmdapi.MinifyConfig(own); err == nil {
		err = clientcmdapi.FlattenConfig(own)
	}
	if err != nil {
		return "", fmt.Errorf("context %q: %w", p.options.Context, err)
	}
	if err = os.MkdirAll(p.store.ClusterDir(name), 0o700); err == nil {
		err = clientcmd.WriteToFile(*own, p.store.Kubeconfig(name))
	}
	if err != nil {
		return "", fmt.Errorf("kubeconfig of cluster %q: %w", name, err)
	}
	return target.Server, nil
}

// isLocal knows kind, k3d, and Docker Desktop. Even a private address can belong to a company.
func isLocal(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	host := u.Hostname()
	switch host {
	case "localhost", "kubernetes.docker.internal", "host.docker.internal":
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) || strings.HasSuffix(host, ".localhost")
}

// checkArchitecture returns an error if no node has the processor of this machine's images.
func checkArchitecture(nodes []corev1.Node) error {
	var others []string
	for _, n := range nodes {
		has := n.Status.NodeInfo.OperatingSystem + "/" + n.Status.NodeInfo.Architecture
		if has == "linux/"+runtime.GOARCH {
			return nil
		}
		if !slices.Contains(others, has) {
			others = append(others, has)
		}
	}
	return fmt.Errorf("the nodes are %s, but the images are built for linux/%s", strings.Join(others, ", "), runtime.GOARCH)
}
