// Package kube is the lab's Kubernetes API client. It decodes manifests, with line numbers in errors. It applies and deletes objects
// as `kubectl apply --server-side` does. It waits until objects are ready, and reports what is missing.
//
// Read apply.go for the operations and ready.go for the meaning of "ready". The package does not know clusters, labs, or scenarios.
package kube

import (
	"cmp"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// FieldManager is the lab's name as an owner of fields
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/).
const FieldManager = "ingresslab"

// Client is a client of one API server. It is safe for concurrent use.
type Client struct {
	clientset kubernetes.Interface
	dynamic   dynamic.Interface
	mapper    meta.RESTMapper
	poll      time.Duration
	guest     *Guest       // nil in a cluster that ingresslab created
	config    *rest.Config // nil after NewFor
}

const (
	pollInterval = 100 * time.Millisecond // the first interval of WaitReady, which a person perceives as immediate
	pollSlowing  = 1.1                    // the factor by which the interval grows with each poll
	pollSlowest  = 4                      // limits the growth
)

// New returns a client for the API server of cfg. It sends no request.
func New(cfg *rest.Config) (*Client, error) {
	cfg = rest.CopyConfig(cfg)
	// Disable client-go's limit of 5 requests per second. The API server's own flow control is sufficient.
	cfg.QPS = -1
	// Drop the API server's warnings, which would be log lines inside a report. Authors of manifests see them in kubectl.
	cfg.WarningHandler = rest.NoWarnings{}
	clientset, typedErr := kubernetes.NewForConfig(inProtobuf(cfg))
	dyn, dynamicErr := dynamic.NewForConfig(cfg)
	disco, discoveryErr := discovery.NewDiscoveryClientForConfig(cfg)
	if err := cmp.Or(typedErr, dynamicErr, discoveryErr); err != nil {
		return nil, fmt.Errorf("kubernetes client for %s: %w", cfg.Host, err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disco))
	client := NewFor(clientset, dyn, mapper)
	client.config = cfg
	return client, nil
}

// inProtobuf returns a copy of cfg for built-in kinds, whose lists the API server encodes much faster than in JSON
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding).
func inProtobuf(cfg *rest.Config) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.ContentType = runtime.ContentTypeProtobuf
	cfg.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return cfg
}

// NewFor returns a client with the given parts, such as client-go's fakes.
func NewFor(clientset kubernetes.Interface, dyn dynamic.Interface, mapper meta.RESTMapper) *Client {
	return &Client{clientset: clientset, dynamic: dyn, mapper: mapper, poll: pollInterval}
}

// Clientset returns the typed client.
func (c *Client) Clientset() kubernetes.Interface { return c.clientset }
