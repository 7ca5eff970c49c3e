package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// The head of every scenario file.
const (
	APIVersion = "ingresslab.dev/v1"
	Kind       = "Scenario"
)

// Scenario is one scripted scenario, as a scenario.yaml holds it.
type Scenario struct {
	// Always ingresslab.dev/v1.
	APIVersion string `yaml:"apiVersion" jsonschema:"required,enum=ingresslab.dev/v1"`
	// Always Scenario.
	Kind string `yaml:"kind" jsonschema:"required,enum=Scenario"`
	// What the scenario is called.
	Metadata Metadata `yaml:"metadata" jsonschema:"required"`
	// What the cluster must be able to do. On a cluster that cannot, the scenario is skipped with the reason.
	Requires Capabilities `yaml:"requires,omitempty"`
	// The scenario changes what every host meets. No other scenario runs in parallel, except an exclusive one with other locks.
	Exclusive bool `yaml:"exclusive,omitempty"`
	// Names for what the cluster has only one of and the scenario changes. Two scenarios with a lock in common do not run in
	// parallel. A scenario needs a lock, or exclusive, to change anything outside its namespace.
	Locks Strings `yaml:"locks,omitempty"`
	// Locks of exclusive scenarios and labs that change nothing that this scenario sees: it can run in parallel with them.
	Tolerates Strings `yaml:"tolerates,omitempty"`
	// What is done and expected, in this order. The first step that does not hold ends the scenario.
	Steps []Step `yaml:"steps" jsonschema:"required,minItems=1"`
	// Plausible wrong answers, each of which has to make the scenario fail where and why it says.
	Mutants []Mutant `yaml:"mutants,omitempty"`

	source
}

// Metadata names a scenario.
type Metadata struct {
	// A DNS label of at most 40 characters, and the name of the directory that the file is in.
	Name string `yaml:"name" jsonschema:"required,pattern=^[a-z]([-a-z0-9]*[a-z0-9])?$,maxLength=40"`
	// One sentence that is true if the scenario passes.
	Title string `yaml:"title" jsonschema:"required"`
}

// Step is one line of the script. It has exactly one verb.
type Step struct {
	// What the step shows, for the report; without it the report describes the verb.
	Name string `yaml:"name,omitempty"`
	// Create or change the objects of manifest files, which are in the scenario's directory.
	Apply Strings `yaml:"apply,omitempty"`
	// Delete objects, and wait until they are gone: manifest files, or single objects as KIND/NAME, such as ingress/stilton.
	Delete Strings `yaml:"delete,omitempty"`
	// Change an object that is there, as kubectl patch does.
	Patch *Patch `yaml:"patch,omitempty"`
	// Set the number of a Deployment's pods.
	Scale *Scale `yaml:"scale,omitempty"`
	// Restart, undo or await the rollout of a workload, as kubectl rollout does.
	Rollout *Rollout `yaml:"rollout,omitempty"`
	// Make a certificate, and the Secret that holds it.
	Certificate *Certificate `yaml:"certificate,omitempty"`
	// Wait until something is true of the cluster's objects.
	Wait *Wait `yaml:"wait,omitempty"`
	// Run a program in a container, until what it says is as expected.
	Exec *Exec `yaml:"exec,omitempty"`
	// Ask for a page until the answer is as expected three times in a row.
	Expect *Expect `yaml:"expect,omitempty"`
	// Send many requests, and judge the answers together.
	Traffic *Traffic `yaml:"traffic,omitempty"`
	// Ask for a page again and again, and see that an answer never comes.
	Never *Never `yaml:"never,omitempty"`
	// Do to a pod or a node what can happen to it.
	Fault *Fault `yaml:"fault,omitempty"`
}

// Scale says how many pods a Deployment is to have.
type Scale struct {
	// Name of the Deployment.
	Deployment string `yaml:"deployment" jsonschema:"required"`
	// How many pods it is to have.
	Replicas *int32 `yaml:"replicas" jsonschema:"required,minimum=0"`
}

// Certificate is a certificate to make. With hosts it is a server's, with client a client's; with neither, the Secret
// holds only the authority's own certificate, by which others are verified.
type Certificate struct {
	// Name of the Secret that gets tls.crt, tls.key and the authority's ca.crt. One that is there is replaced.
	Secret string `yaml:"secret,omitempty"`
	// The DNS names in a server's certificate.
	Hosts Strings `yaml:"hosts,omitempty"`
	// The name of a client, by which expect presents the certificate.
	Client string `yaml:"client,omitempty"`
	// Name of the certificate authority (CA) that signs, which is created on first use; "lab" if not given.
	CA string `yaml:"ca,omitempty"`
}

// Wait names one thing that has to become true. Exactly one of ready, ingress, deployment, service, pod and object is given.
type Wait struct {
	// Everything that the scenario has applied is ready: Deployments rolled out, Services with endpoints.
	Ready bool `yaml:"ready,omitempty"`
	// Name of an Ingress; goes with address or addresses.
	Ingress string `yaml:"ingress,omitempty"`
	// Whether the Ingress has to have an address in its status, or to have none.
	Address *bool `yaml:"address,omitempty"`
	// Whose addresses the Ingress has to have in its status, all of them and no others. nodes: those of the nodes on which the
	// controller is ready.
	Addresses string `yaml:"addresses,omitempty" jsonschema:"enum=nodes"`
	// Name of a Deployment; goes with condition.
	Deployment string `yaml:"deployment,omitempty"`
	// Name of a Service; goes with endpoints.
	Service string `yaml:"service,omitempty"`
	// How many ready endpoints the Service has to have.
	Endpoints *int `yaml:"endpoints,omitempty" jsonschema:"minimum=0"`
	// Name of a Pod; goes with condition.
	Pod string `yaml:"pod,omitempty"`
	// Any object, as KIND/NAME; goes with exists or jsonpath.
	Object string `yaml:"object,omitempty"`
	// Where the object is, if not in the run's own namespace: ingresslab-system, or - for an object that has no namespace.
	Namespace string `yaml:"namespace,omitempty"`
	// Whether the object has to exist.
	Exists *bool `yaml:"exists,omitempty"`
	// A field of the object, in kubectl's notation: {.spec.type}; goes with value. Several results are joined by a space.
	JSONPath string `yaml:"jsonpath,omitempty"`
	// What the field has to be: * stands for any text, an empty value means that the field is absent or empty.
	Value *string `yaml:"value,omitempty"`
	// A condition that has to be True. Available for a Deployment and Ready for a Pod if it is not given.
	Condition string `yaml:"condition,omitempty"`
	// How long to wait, 60s if not given.
	Within Duration `yaml:"within,omitempty"`
}

// Strings is a list of text. In a file, a list of one may be written as the text alone.
type Strings []string

// Capabilities is what a scenario requires of a cluster.
type Capabilities []cluster.Capability

// Duration is a span of time in Go's notation: 500ms, 30s, 2m.
type Duration time.Duration

// UnmarshalText reads a span of time, which has to be more than zero and at most an hour.
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

// MarshalText is the reverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// or returns the span, or what stands for one that was not given.
func (d Duration) or(otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return time.Duration(d)
}

// Verbs are the names of the verbs, in the order in which to explain them.
func Verbs() []string {
	return []string{"apply", "delete", "patch", "scale", "rollout", "certificate", "wait", "exec", "expect", "traffic", "never", "fault"}
}

// Verb returns the step's verb; empty if it has none or several, which a loaded scenario's steps never have.
func (s Step) Verb() string {
	if verbs := s.verbs(); len(verbs) == 1 {
		return verbs[0]
	}
	return ""
}

func (s Step) verbs() []string {
	given := []bool{
		s.Apply != nil, s.Delete != nil, s.Patch != nil, s.Scale != nil, s.Rollout != nil, s.Certificate != nil, s.Wait != nil,
		s.Exec != nil, s.Expect != nil, s.Traffic != nil, s.Never != nil, s.Fault != nil,
	}
	var verbs []string
	for i, verb := range Verbs() {
		if given[i] {
			verbs = append(verbs, verb)
		}
	}
	return verbs
}

// UnknownField implements strictyaml.UnknownFielder: a key of a step that is not known was meant as a verb.
func (Step) UnknownField(name string) string {
	return fmt.Sprintf("unknown verb %q, the verbs are %s", name, strings.Join(Verbs(), ", "))
}

// source is where a scenario was loaded from.
type source struct {
	file      string
	positions strictyaml.Positions
	manifests map[string]Manifest
}

// File returns the path of the scenario's file, as it was given to Load.
func (s *Scenario) File() string { return s.file }

// isFile tells the manifest files of a delete step from single objects.
func isFile(target string) bool {
	return slices.ContainsFunc([]string{".yaml", ".yml", ".json"}, func(ext string) bool { return strings.HasSuffix(target, ext) })
}
