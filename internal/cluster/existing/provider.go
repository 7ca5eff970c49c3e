package existing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/adrg/xdg"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// Name is what --cluster selects the provider by.
const Name = "existing"

// answerTimeout bounds the wait for an API server that may be anywhere, or nowhere.
const answerTimeout = 10 * time.Second

// Options say which cluster it is. What is empty is taken from the time before, see record.
type Options struct {
	// StateDir holds what the provider remembers; empty is ingresslab/existing under the user's XDG state directory.
	StateDir string
	// Context is the context of the kubeconfig. There is no default: the current one may be anything.
	Context string
	// Kubeconfig is the file with the context; empty follows kubectl's rules ($KUBECONFIG, ~/.kube/config).
	Kubeconfig string
	// Registry is where images are pushed and pulled; empty if the nodes have them.
	Registry string
	// Addresses are where the ingress is reached, if the user knows; empty ones are opened through the API server.
	Addresses cluster.Addresses
	// Ask puts a question to the user, and returns an error unless the answer is yes.
	Ask func(ctx context.Context, question string) error
}

// Provider implements cluster.Provider and cluster.Guest.
type Provider struct {
	store   cluster.Store[record]
	options Options
}

var _ cluster.Guest = (*Provider)(nil)

// record is what is remembered of a cluster, so that later commands need no flags.
type record struct {
	// Context, Server and Registry are as they were given or found.
	Context  string `json:"context"`
	Server   string `json:"server"`
	Registry string `json:"registry,omitempty"`
	// Addresses are those that the user gave.
	Addresses cluster.Addresses `json:"addresses,omitzero"`
	// Ports are the wishes for ports on this machine, as in a Spec: HTTP, HTTPS, status.
	Ports [3]int `json:"ports"`
	// Agreed is true when the user has agreed to changes.
	Agreed  bool      `json:"agreed,omitempty"`
	Created time.Time `json:"created"`
}

// New returns a provider. It touches nothing yet.
func New(o Options) *Provider {
	if o.StateDir == "" {
		o.StateDir = filepath.Join(xdg.StateHome, "ingresslab", Name)
	}
	return &Provider{store: cluster.Store[record]{Dir: o.StateDir}, options: o}
}

// Name implements cluster.Provider.
func (p *Provider) Name() string { return Name }

// Manifests implements cluster.Guest.
func (p *Provider) Manifests() string { return "manifests/existing" }

// Registry implements cluster.Guest.
func (p *Provider) Registry(name string) string {
	if p.options.Registry != "" {
		return p.options.Registry
	}
	if rec, err := p.store.Load(name); err == nil && rec != nil {
		return rec.Registry
	}
	return ""
}

// Up implements cluster.Provider: it looks at the cluster, remembers it, and changes nothing in it.
func (p *Provider) Up(ctx context.Context, spec cluster.Spec, _ cluster.Progress) (*cluster.Cluster, error) {
	spec = spec.WithDefaultName()
	if err := check(spec); err != nil {
		return nil, err
	}
	rec, err := p.known(spec.Name)
	if err != nil {
		return nil, err
	}
	for i, wish := range spec.Ports() {
		if wish.Want != 0 {
			rec.Ports[i] = wish.Want
		}
	}
	c, err := p.describe(ctx, spec.Name, rec)
	if err != nil {
		return nil, err
	}
	return c, p.store.Save(spec.Name, rec)
}

// check refuses wishes that a cluster which exists cannot fulfill.
func check(spec cluster.Spec) error {
	for flag, wished := range map[string]bool{
		"--nodes": spec.Nodes != 0, "--node-image": spec.NodeImage != "", "--recreate": spec.Recreate, "--merge-kubeconfig": spec.MergeKubeconfig,
	} {
		if wished {
			return &cluster.SpecError{Flag: flag, Why: "an existing cluster is taken as it is"}
		}
	}
	return spec.Check()
}

// known returns the record of a cluster, or makes one of the options. A context that is not the one of the record is a
// *cluster.MismatchError; without either there is a *cluster.NotFoundError.
func (p *Provider) known(name string) (*record, error) {
	rec, err := p.store.Load(name)
	if err != nil {
		return nil, err
	}
	o := p.options
	if rec == nil || rec.Context == "" {
		if o.Context == "" {
			return nil, &cluster.SpecError{Flag: "--context", Why: "say which context of your kubeconfig it is" + listContexts(o.Kubeconfig)}
		}
		rec = &record{Context: o.Context, Created: time.Now().UTC()}
		if rec.Server, err = p.copyContext(name); err != nil {
			return nil, err
		}
	}
	if o.Context != "" && o.Context != rec.Context {
		return nil, fmt.Errorf("cluster %q is context %q; `ingresslab down --name %s` first, or choose another --name", name, rec.Context, name)
	}
	if o.Registry != "" {
		rec.Registry = o.Registry
	}
	for _, a := range []struct{ given, kept *string }{
		{&o.Addresses.HTTP, &rec.Addresses.HTTP}, {&o.Addresses.HTTPS, &rec.Addresses.HTTPS}, {&o.Addresses.Status, &rec.Addresses.Status},
	} {
		if *a.given != "" {
			*a.kept = *a.given
		}
	}
	return rec, nil
}

// describe asks the cluster what it is.
func (p *Provider) describe(ctx context.Context, name string, rec *record) (*cluster.Cluster, error) {
	path := p.store.Kubeconfig(name)
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
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
	if err := fits(nodes.Items); err != nil {
		return nil, fmt.Errorf("context %q: %w", rec.Context, err)
	}
	lacks := cluster.Capabilities{}
	if len(nodes.Items) < 2 {
		lacks[cluster.Nodes] = "the cluster has one node"
	}
	return &cluster.Cluster{
		Name: name, Provider: Name, Kubeconfig: path, Config: cfg, Addresses: rec.Addresses, Capabilities: lacks,
		Lent: &cluster.Lent{Classes: map[string]string{"nginx": "ingresslab"}, Forward: forwardCommand(usualPorts(rec.Ports))},
	}, nil
}

// Get implements cluster.Provider.
func (p *Provider) Get(ctx context.Context, name string) (*cluster.Cluster, error) {
	rec, err := p.known(name)
	var spec *cluster.SpecError
	if errors.As(err, &spec) {
		return nil, &cluster.NotFoundError{Name: name}
	}
	if err != nil {
		return nil, err
	}
	return p.describe(ctx, name, rec)
}

// List implements cluster.Provider. It asks no API server: one that is far away would make every command slow.
func (p *Provider) List(context.Context) ([]cluster.Summary, error) {
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

// Logs implements cluster.Provider. The nodes' logs are not the lab's to take; those of pods are with the objects.
func (p *Provider) Logs(ctx context.Context, name, dir string) error {
	if _, err := p.Get(ctx, name); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o755)
}

// client is what talks to the cluster with its own names for images and classes left out: for Admit and Down.
func client(c *cluster.Cluster) (*kube.Client, error) { return kube.New(c.Config) }
