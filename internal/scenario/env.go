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
	// Controller explains its decisions when a step fails; nil if nobody can be asked.
	Controller explain.Asker
	// Capabilities is what the cluster can do.
	Capabilities cluster.Missing
	// Run names the run; a name is drawn if it is empty. Two runs at the same time must not have the same.
	Run string
	// Seed decides all that a run draws: its name, and which pods and nodes its faults meet. One is drawn if it is 0.
	Seed uint64
	// Patience is the longest that a run which is expected to fail looks for what will not come; 0 leaves that to the file.
	Patience time.Duration
	// Keep leaves everything in the cluster.
	Keep bool
	// From and Until name steps, by number or by name. Until is the last step to run; what it leaves is kept. From is the first:
	// the run goes on in the namespace of a kept run, the one that Run names or the newest.
	From, Until string
	// Progress hears what happens; nil if nobody listens.
	Progress Progress

	// purpose tells the draws of a mutant from those of its scenario, caught says where and why the mutant is to fail.
	purpose string
	caught  Caught
	// series gets the pods that the run leaves as they were; nil if nobody wants them.
	series *Series
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
