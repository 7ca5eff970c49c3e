package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// The first fields of every scenario file.
const (
	APIVersion = "ingresslab.dev/v1"
	Kind       = "Scenario"
)

// Scenario is the content of a scenario.yaml.
type Scenario struct {
	// Always ingresslab.dev/v1.
	APIVersion string `yaml:"apiVersion" jsonschema:"required,enum=ingresslab.dev/v1"`
	// Always Scenario.
	Kind string `yaml:"kind" jsonschema:"required,enum=Scenario"`
	// The name and the title.
	Metadata Metadata `yaml:"metadata" jsonschema:"required"`
	// What the cluster has to support. If the cluster does not support it, the scenario is skipped.
	Requires Capabilities `yaml:"requires,omitempty"`
	// The scenario affects every host. No other scenario runs in parallel, except an exclusive one
	// with other locks.
	Exclusive bool `yaml:"exclusive,omitempty"`
	// Names of cluster-wide resources that the scenario changes. Scenarios with a common lock do
	// not run in parallel. A scenario needs a lock, or exclusive, to change anything outside its
	// namespace.
	Locks Strings `yaml:"locks,omitempty"`
	// Locks of exclusive scenarios and labs that do not affect this scenario. It can run in
	// parallel with them.
	Tolerates Strings `yaml:"tolerates,omitempty"`
	// The steps, in order. The first step that fails ends the scenario.
	Steps []Step `yaml:"steps" jsonschema:"required,minItems=1"`
	// Plausible mistakes. The scenario has to fail with each of them, in the given step and for the
	// given reason.
	Mutants []Mutant `yaml:"mutants,omitempty"`

	source
}

// Metadata is the name and title of a scenario.
type Metadata struct {
	// The name of the file's directory: a DNS label of at most 40 characters.
	Name string `yaml:"name" jsonschema:"required,pattern=^[a-z]([-a-z0-9]*[a-z0-9])?$,maxLength=40"`
	// One sentence that is true if the scenario passes.
	Title string `yaml:"title" jsonschema:"required"`
}

// Step is one step. It has exactly one verb: a field whose type is a verb.
type Step struct {
	// A statement that is true if the step passes. If there is no name, the report describes the
	// verb.
	Name string `yaml:"name,omitempty"`
	// Create or change the objects of manifest files, which are in the scenario's directory.
	Apply Apply `yaml:"apply,omitempty"`
	// Delete objects, and wait until they no longer exist. Items are manifest files, or single
	// objects as KIND/NAME, such as ingress/stilton.
	Delete Delete `yaml:"delete,omitempty"`
	// Change an existing object, as kubectl patch does.
	Patch *Patch `yaml:"patch,omitempty"`
	// Set the number of a Deployment's pods.
	Scale *Scale `yaml:"scale,omitempty"`
	// Restart, undo, or await the rollout of a workload, as kubectl rollout does.
	Rollout *Rollout `yaml:"rollout,omitempty"`
	// Create a certificate, and the Secret that contains it.
	Certificate *Certificate `yaml:"certificate,omitempty"`
	// Wait until objects in the cluster meet a condition.
	Wait *Wait `yaml:"wait,omitempty"`
	// Run a program in a container until its output is as expected.
	Exec *Exec `yaml:"exec,omitempty"`
	// Send a request until the response is as expected three times in a row.
	Expect *Expect `yaml:"expect,omitempty"`
	// Send many requests, and evaluate the responses together.
	Traffic *Traffic `yaml:"traffic,omitempty"`
	// Send a request repeatedly, and check that a response never occurs.
	Never *Never `yaml:"never,omitempty"`
	// Inject a fault into a pod or a node.
	Fault *Fault `yaml:"fault,omitempty"`
}

// Mutant is one plausible mistake in the manifests. The scenario has to fail with it, in the given
// step and for the given reason.
type Mutant struct {
	// The mistake, in a few words that start in lower case.
	Name string `yaml:"name" jsonschema:"required"`
	// Changes to objects, made before they are applied.
	Patch []Patch `yaml:"patch,omitempty"`
	// Manifest files. Their objects replace the scenario's objects of the same kind and name, and
	// are added if there are none.
	Apply Strings `yaml:"apply,omitempty"`
	// Objects to omit, as KIND/NAME.
	Omit Strings `yaml:"omit,omitempty"`
	// What else the cluster has to support so that the mistake has an effect.
	Requires []cluster.Capability `yaml:"requires,omitempty"`
	// The failure that the scenario has to report.
	Caught Caught `yaml:"caught" jsonschema:"required"`
}

// Caught is the failure that a mutant has to cause. A different failure is an error of the
// scenario.
type Caught struct {
	// Name of the step that has to fail.
	Step string `yaml:"step,omitempty"`
	// Text in the report of that step: a mismatch, the controller's reason, an Event, or a refusal
	// by the API server.
	Message Strings `yaml:"message" jsonschema:"required,minItems=1"`
}

// Strings is a list of strings. In a file, a single string stands for a list with one element.
type Strings []string

// Capabilities is what a scenario requires of a cluster.
type Capabilities []cluster.Capability

// Duration is a duration in Go's notation: 500ms, 30s, 2m.
type Duration time.Duration

// UnmarshalText parses a duration of more than zero and at most an hour.
func (d *Duration) UnmarshalText(text []byte) error {
	span, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a span of time such as 500ms, 30s or 2m", text)
	}
	if span <= 0 || span > time.Hour {
		return fmt.Errorf("%s is not more than zero and at most 1h", span)
	}
	*d = Duration(span)
	return nil
}

// MarshalText returns the duration in Go's notation.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// or returns the duration, or the value otherwise if the file has no duration.
func (d Duration) or(otherwise time.Duration) time.Duration {
	return cmp.Or(time.Duration(d), otherwise)
}

// source is the origin of a scenario.
type source struct {
	file      string
	positions strictyaml.Positions
	manifests map[string]Manifest
}

// File returns the path of the scenario's file, as passed to Load.
func (s *Scenario) File() string { return s.file }

// isFile reports whether a target of a delete step is a manifest file, not KIND/NAME.
func isFile(target string) bool {
	return slices.ContainsFunc([]string{".yaml", ".yml", ".json"}, func(ext string) bool { return strings.HasSuffix(target, ext) })
}

// kinds are the kinds with a namespace that KIND/NAME accepts.
var kinds = map[string]schema.GroupVersionKind{
	"configmap":      {Version: "v1", Kind: "ConfigMap"},
	"daemonset":      {Group: "apps", Version: "v1", Kind: "DaemonSet"},
	"deployment":     {Group: "apps", Version: "v1", Kind: "Deployment"},
	"endpointslice":  {Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"},
	"ingress":        {Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
	"job":            {Group: "batch", Version: "v1", Kind: "Job"},
	"lease":          {Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"},
	"networkpolicy":  {Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	"pod":            {Version: "v1", Kind: "Pod"},
	"replicaset":     {Group: "apps", Version: "v1", Kind: "ReplicaSet"},
	"secret":         {Version: "v1", Kind: "Secret"},
	"service":        {Version: "v1", Kind: "Service"},
	"serviceaccount": {Version: "v1", Kind: "ServiceAccount"},
	"statefulset":    {Group: "apps", Version: "v1", Kind: "StatefulSet"},
}

// clusterKinds are the kinds without a namespace that a wait accepts.
var clusterKinds = map[string]schema.GroupVersionKind{
	"ingressclass": {Group: "networking.k8s.io", Version: "v1", Kind: "IngressClass"},
	"namespace":    {Version: "v1", Kind: "Namespace"},
	"node":         {Version: "v1", Kind: "Node"},
}

// referenceError reports an invalid KIND/NAME.
type referenceError struct {
	text, nearest string
}

func (e *referenceError) Error() string { return e.text }

// parseReference parses KIND/NAME of a kind with a namespace. The object has only a kind and a
// name.
func parseReference(text string) (*unstructured.Unstructured, *referenceError) {
	return reference(text, kinds, "is neither a manifest file (.yaml, .yml or .json) nor KIND/NAME, such as ingress/web",
		"; use its manifest file")
}

// parseObject parses KIND/NAME of any kind. An unknown kind needs the form KIND.VERSION.GROUP, such
// as certificate.v1.cert-manager.io.
func parseObject(text string) (*unstructured.Unstructured, *referenceError) {
	kind, name, _ := strings.Cut(text, "/")
	if gvk, _ := schema.ParseKindArg(kind); gvk != nil && name != "" && !strings.Contains(name, "/") {
		return named(*gvk, name), nil
	}
	all := maps.Clone(kinds)
	maps.Copy(all, clusterKinds)
	return reference(text, all, "is not KIND/NAME, such as ingress/web",
		"; write it KIND.VERSION.GROUP, such as Certificate.v1.cert-manager.io")
}

// isClusterWide reports whether an object has a known kind without a namespace.
func isClusterWide(o *unstructured.Unstructured) bool {
	_, is := clusterKinds[strings.ToLower(o.GetKind())]
	return is
}

func reference(text string, all map[string]schema.GroupVersionKind, isNot, otherwise string) (*unstructured.Unstructured, *referenceError) {
	kind, name, found := strings.Cut(text, "/")
	known := slices.Sorted(maps.Keys(all))
	gvk, isKind := all[strings.ToLower(kind)]
	switch {
	case !found || name == "" || strings.Contains(name, "/"):
		return nil, &referenceError{text: fmt.Sprintf("%q %s", text, isNot)}
	case !isKind:
		return nil, &referenceError{
			text:    fmt.Sprintf("%q is not a kind that can be named here (%s)%s", kind, strings.Join(known, ", "), otherwise),
			nearest: strictyaml.Nearest(kind, known),
		}
	}
	return named(gvk, name), nil
}

func named(gvk schema.GroupVersionKind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(gvk)
	o.SetName(name)
	return o
}

//go:generate go test -run TestSchemaIsCurrent -update .
