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
	// Kube is the cluster's API.
	Kube Kube
	// HTTP asks the ingress.
	HTTP Prober
	// Controller explains its decisions when a step fails; nil if it cannot.
	Controller explain.Asker
	// Capabilities is what the cluster can do.
	Capabilities cluster.Missing
	// Run names the run; a name is drawn if it is empty. Two runs at the same time must not have the same.
	Run string
	// Seed decides all that a run draws: its name, and which pods and nodes its faults meet. One is drawn if it is 0.
	Seed uint64
	// Variant distinguishes the random values of runs with the same seed, such as those of a scenario and its mutants.
	Variant string
	// BeforeStep returns the limits of a step. names are the names of the steps around it, and its own at the end. nil sets no limits.
	BeforeStep func(step Step, names []string) StepLimits
	// ReusePods leaves the pods and the namespace at the end, if the run has not changed pods. Report.PodsKept tells.
	ReusePods bool
	// Keep leaves everything in the cluster.
	Keep bool
	// From and Until name steps, by number or by name. Until is the last step to run; what it leaves is kept. From is the first:
	// the run goes on in the namespace of a kept run, the one that Run names or the newest.
	From, Until string
	// Progress is called during the run; nil for no calls.
	Progress Progress
}

// StepLimits end a step before the time that its file gives. The zero value does not.
type StepLimits struct {
	// Within is the longest that the step polls; 0 leaves that to the file.
	Within time.Duration
	// Enough reports whether the report of a failing step says enough to end the step; nil if it never does.
	Enough func(StepReport) bool
	// StableFor is how long the polls have to see the same before Enough is asked.
	StableFor time.Duration
}

// Kube is what a scenario needs of a cluster's API; *kube.Client is one.
type Kube interface {
	EnsureNamespace(ctx context.Context, name string, labels map[string]string) error
	DeleteNamespace(ctx context.Context, name string, wait bool) error
	Apply(ctx context.Context, objects ...*unstructured.Unstructured) error
	Delete(ctx context.Context, objects ...*unstructured.Unstructured) error
	// Get returns the object as the server has it; the error satisfies apierrors.IsNotFound if there is none.
	Get(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error)
	// WaitReady returns a *kube.NotReadyError if the objects are not ready when ctx ends.
	WaitReady(ctx context.Context, objects ...*unstructured.Unstructured) error
	// Patch changes the object of the same kind, namespace and name, as the API server does.
	Patch(ctx context.Context, object *unstructured.Unstructured, kind types.PatchType, patch []byte) error
	// Exec runs a program in a container; an exit code other than 0 is no error.
	Exec(ctx context.Context, command kube.Command) (kube.Output, error)
	// PostPod sends an empty POST request to a port of a pod; an answer of any status is no error.
	PostPod(ctx context.Context, namespace, pod string, port int32, path string, query url.Values) (*kube.Answer, error)
	Clientset() kubernetes.Interface
}

// Prober sends one request; *probe.Client is one.
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
