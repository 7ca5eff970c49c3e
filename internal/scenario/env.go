package scenario

import (
	"context"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/explain"
	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// Env is where a scenario runs.
type Env struct {
	Kube Kube   // Kube is the cluster's API
	HTTP Prober // HTTP sends requests to the ingress
	// Controller explains routing decisions after a failure. It is nil if the controller cannot.
	Controller   explain.Asker
	Capabilities cluster.Missing // Capabilities lists what the cluster lacks
	Run          string          // Run is the run's name, or empty for a random one. Parallel runs need different names.
	// Seed determines all random values of a run: its name, and the targets of faults. 0 selects a
	// random seed.
	Seed uint64
	// Variant distinguishes the random values of runs with the same seed, such as those of a
	// scenario and its mutants.
	Variant string
	// BeforeStep returns the limits of a step. names are the names of its enclosing steps and of
	// the step itself. If BeforeStep is nil, steps have no limits.
	BeforeStep func(step Step, names []string) StepLimits
	// ReusePods keeps the pods and the namespace if the run has not changed pods. Report.PodsKept
	// reports whether they were kept.
	ReusePods bool
	Keep      bool // Keep leaves everything in the cluster
	// From and Until are the first and the last step, by number or name. If From is set, the run
	// continues in the namespace of the kept run that Run names, or of the newest kept run. If
	// Until is set, the namespace is kept.
	From, Until string
	Progress    Progress // Progress is called during the run; it can be nil
}

// StepLimits stop a step before the time in its file. The zero value sets no limits.
type StepLimits struct {
	Within time.Duration // Within limits the polling. If it is 0, the file's limit applies.
	// Enough reports whether a failing step can stop, because its report says enough. If Enough is
	// nil, the step never stops early.
	Enough func(StepReport) bool
	// StableFor is how long polls have to return the same before Enough is called.
	StableFor time.Duration
}

// Kube is the part of a Kubernetes client that scenarios use; *kube.Client implements it.
type Kube interface {
	EnsureNamespace(ctx context.Context, name string, labels map[string]string) error
	DeleteNamespace(ctx context.Context, name string, wait bool) error
	Apply(ctx context.Context, objects ...*unstructured.Unstructured) error
	Delete(ctx context.Context, objects ...*unstructured.Unstructured) error
	// Get returns the object. If there is none, the error satisfies apierrors.IsNotFound.
	Get(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error)
	// WaitReady returns a *kube.NotReadyError if the objects are not ready when ctx ends.
	WaitReady(ctx context.Context, objects ...*unstructured.Unstructured) error
	// Patch patches the object of the same kind, namespace, and name.
	Patch(ctx context.Context, object *unstructured.Unstructured, kind types.PatchType, patch []byte) error
	// Exec runs a program in a container. A nonzero exit code is not an error.
	Exec(ctx context.Context, command kube.Command) (kube.Output, error)
	// PostPod sends an empty POST request to a port of a pod. A response of any status is not an
	// error.
	PostPod(ctx context.Context, namespace, pod string, port int32, path string, query url.Values) (*kube.Answer, error)
	Clientset() kubernetes.Interface
}

// Prober sends one request; *probe.Client implements it.
type Prober interface {
	Do(ctx context.Context, request probe.Request) probe.Observation
}

// NewEnv returns the Env of a cluster. It makes no request.
func NewEnv(c *cluster.Cluster) (Env, error) {
	client, err := kube.New(c.Config)
	if err != nil {
		return Env{}, err
	}
	if !c.Missing.Has(cluster.Isolation) {
		client = client.AsGuest(kube.Guest{Images: c.Overrides.Images, Classes: c.Overrides.Classes})
	}
	http := probe.NewClient(probe.Addresses{HTTP: c.Addresses.HTTP, HTTPS: c.Addresses.HTTPS})
	return Env{Kube: client, HTTP: http, Controller: client, Capabilities: c.Missing}, nil
}

func (e Env) progress() Progress {
	if e.Progress == nil {
		return silent{}
	}
	return e.Progress
}
