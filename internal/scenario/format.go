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
	// The name and the title.
	Metadata Metadata `yaml:"metadata" jsonschema:"required"`
	// What the cluster has to support. If it does not, the scenario is skipped with the reason.
	Requires Capabilities `yaml:"requires,omitempty"`
	// The scenario affects every host. No other scenario runs in parallel, except an exclusive one with other locks.
	Exclusive bool `yaml:"exclusive,omitempty"`
	// Names for what the cluster has only one of and the scenario changes. Two scenarios with a lock in common do not run in
	// parallel. A scenario needs a lock, or exclusive, to change anything outside its namespace.
	Locks Strings `yaml:"locks,omitempty"`
	// Locks of exclusive scenarios and labs that change nothing that this scenario sees: it can run in parallel with them.
	Tolerates Strings `yaml:"tolerates,omitempty"`
	// The steps, in order. The first step that fails ends the scenario.
	Steps []Step `yaml:"steps" jsonschema:"required,minItems=1"`
	// Plausible mistakes. The scenario has to fail with each of them, in the given step and for the given reason.
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

// Step is one line of the script. It has exactly one verb: the fields whose types are verbs are the list of verbs.
type Step struct {
	// What is true if the step passes. Without a name, the report describes the verb.
	Name string `yaml:"name,omitempty"`
	// Create or change the objects of manifest files, which are in the scenario's directory.
	Apply Apply `yaml:"apply,omitempty"`
	// Delete objects, and wait until none exists: manifest files, or single objects as KIND/NAME, such as ingress/stilton.
	Delete Delete `yaml:"delete,omitempty"`
	// Change an existing object, as kubectl patch does.
	Patch *Patch `yaml:"patch,omitempty"`
	// Set the number of a Deployment's pods.
	Scale *Scale `yaml:"scale,omitempty"`
	// Restart, undo or await the rollout of a workload, as kubectl rollout does.
	Rollout *Rollout `yaml:"rollout,omitempty"`
	// Create a certificate, and the Secret that contains it.
	Certificate *Certificate `yaml:"certificate,omitempty"`
	// Wait until something is true of the cluster's objects.
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

// Mutant is one plausible wrong answer: what a student could have written instead of one of the manifests. The scenario has
// to fail with it, in the step and for the reason that it says.
type Mutant struct {
	// The mistake, in a few words that start in lower case.
	Name string `yaml:"name" jsonschema:"required"`
	// Changes to objects, made before they are applied.
	Patch []Patch `yaml:"patch,omitempty"`
	// Manifest files whose objects replace those of the same kind and name. Other objects are added.
	Apply Strings `yaml:"apply,omitempty"`
	// Objects to leave out, as KIND/NAME.
	Omit Strings `yaml:"omit,omitempty"`
	// What the cluster has to support in addition, so that the mistake shows.
	Requires []cluster.Capability `yaml:"requires,omitempty"`
	// The failure that the scenario has to report.
	Caught Caught `yaml:"caught" jsonschema:"required"`
}

// Caught is the failure that a mutant has to cause. Another failure is an error of the scenario.
type Caught struct {
	// Name of the step that has to fail.
	Step string `yaml:"step,omitempty"`
	// Text in the report of that step: a mismatch, the controller's reason, an Event, or a refusal by the API server.
	Message Strings `yaml:"message" jsonschema:"required,minItems=1"`
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
