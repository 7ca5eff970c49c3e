package kube

import (
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

// FieldManager is the name under which the lab owns fields of objects
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/).
const FieldManager = "ingresslab"

// Client talks to one API server. It is safe for concurrent use.
type Client struct {
	clientset kubernetes.Interface
	dynamic   dynamic.Interface
	mapper    meta.RESTMapper
	poll      time.Duration
	guest     *Guest       // nil in a cluster of the lab's own
	config    *rest.Config // nil if the client was made of parts
}

// pollInterval is how often WaitReady looks. Waiting is short in the lab, so
// the interval is what a person would feel as immediate.
const pollInterval = 100 * time.Millisecond

// Whoever waits longer looks less often: pollSlowing is by which factor the interval grows with every look, pollSlowest how many
// times it can be longer at last.
const (
	pollSlowing = 1.1
	pollSlowest = 4
)

// New returns a client for the API server that cfg names. It makes no request.
func New(cfg *rest.Config) (*Client, error) {
	cfg = rest.CopyConfig(cfg)
	// The lab talks to a cluster of its own: the server's own flow control is
	// enough, and client-go's default of 5 requests a second is felt.
	cfg.QPS = -1
	// What the API server warns of is for whoever writes manifests, and kubectl prints it; here it would be a log's line in
	// the middle of a report.
	cfg.WarningHandler = rest.NoWarnings{}
	clientset, err := kubernetes.NewForConfig(inProtobuf(cfg))
	if err != nil {
		return nil, fmt.Errorf("kubernetes client for %s: %w", cfg.Host, err)
	}
	dyn, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("kubernetes client for %s: %w", cfg.Host, err)
	}
	disco, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("kubernetes client for %s: %w", cfg.Host, err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disco))
	client := NewFor(clientset, dyn, mapper)
	client.config = cfg
	return client, nil
}

// inProtobuf returns a copy of cfg for the API's own kinds: the API server writes lists of them in a fraction of the time that JSON takes
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding).
func inProtobuf(cfg *rest.Config) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.ContentType = runtime.ContentTypeProtobuf
	cfg.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return cfg
}

// NewFor returns a client made of the given parts, e.g. client-go's fakes.
func NewFor(clientset kubernetes.Interface, dyn dynamic.Interface, mapper meta.RESTMapper) *Client {
	return &Client{clientset: clientset, dynamic: dyn, mapper: mapper, poll: pollInterval}
}

// Clientset returns the typed client, for whatever this package does not do.
func (c *Client) Clientset() kubernetes.Interface { return c.clientset }
