package scenario

import "github.com/ingresslab/ingresslab/internal/cluster"

// Patch changes one object, as kubectl patch does (https://kubernetes.io/docs/reference/kubectl/generated/kubectl_patch/).
// Exactly one of merge and json is given. An object outside of the run's namespace gets its old state back when the
// scenario ends.
type Patch struct {
	// The object, as KIND/NAME.
	Object string `yaml:"object" jsonschema:"required"`
	// Where the object is, if not in the run's own namespace: ingresslab-system.
	Namespace string `yaml:"namespace,omitempty"`
	// A JSON merge patch (RFC 7386): null removes a field, a list replaces the whole list.
	Merge map[string]any `yaml:"merge,omitempty"`
	// The operations of a JSON patch (RFC 6902).
	JSON []map[string]any `yaml:"json,omitempty"`
}

// Rollout is what kubectl rollout does to a workload. Exactly one of restart, undo and status is given.
type Rollout struct {
	// The workload whose pods are replaced one after the other: deployment/NAME, daemonset/NAME or statefulset/NAME.
	Restart string `yaml:"restart,omitempty"`
	// The Deployment that goes back to what it was before.
	Undo string `yaml:"undo,omitempty"`
	// The workload whose rollout has to come to its end.
	Status string `yaml:"status,omitempty"`
	// Where the workload is, if not in the run's own namespace.
	Namespace string `yaml:"namespace,omitempty"`
	// How long the rollout may take, 60s if not given. Restart and undo wait for it, too.
	Within Duration `yaml:"within,omitempty"`
}

// Exec runs a program in a container and says what has to come of it.
type Exec struct {
	// The pod, or a workload of which any ready pod is taken: net-test, deployment/web.
	Pod string `yaml:"pod" jsonschema:"required"`
	// Name of the container, if there are several.
	Container string `yaml:"container,omitempty"`
	// The program and its arguments. No shell is in between.
	Command Strings `yaml:"command" jsonschema:"required,minItems=1"`
	// The exit code, 0 if not given.
	ExitCode int `yaml:"exitCode,omitempty" jsonschema:"minimum=0,maximum=255"`
	// Pieces of text in what the program writes, to either stream.
	Contains Strings `yaml:"contains,omitempty"`
	// Pieces of text that it does not write.
	NotContains Strings `yaml:"notContains,omitempty"`
	// How long that may take to become so; the program runs again until then. Once, if not given.
	Within Duration `yaml:"within,omitempty"`
}

// Never is an answer that must not come: the request of an expect, whose answer must not hold once in all the time.
type Never struct {
	// The request, and the answer that must not come. Its within is not used.
	Expect Expect `yaml:"expect" jsonschema:"required"`
	// For how long to look, 3s if not given; at least as long as the steps of while take.
	For Duration `yaml:"for,omitempty"`
	// What happens meanwhile.
	While []Step `yaml:"while,omitempty"`
}

// Fault is one thing that can happen to a pod or a node. Exactly one of pod and node is given.
type Fault struct {
	Pod  *PodFault  `yaml:"pod,omitempty"`
	Node *NodeFault `yaml:"node,omitempty"`
}

// PodFault is what happens to pods. Exactly one of name, service and workload says to which.
type PodFault struct {
	// Name of the pod.
	Name string `yaml:"name,omitempty"`
	// The pods that are endpoints of the Service.
	Service string `yaml:"service,omitempty"`
	// The pods of a workload, as KIND/NAME.
	Workload string `yaml:"workload,omitempty"`
	// Name of a session: the pod that answered its last step.
	Session string `yaml:"session,omitempty"`
	// Where the pods are, if not in the run's own namespace.
	Namespace string `yaml:"namespace,omitempty"`
	// To how many of them, chosen by the run's seed; 1 if not given.
	Count int `yaml:"count,omitempty" jsonschema:"minimum=1"`
	// delete: as a rollout does, gracefully. kill: without grace. crash: the process ends with an error, and is restarted.
	// unready: its readiness probe fails until the pod is replaced.
	Action string `yaml:"action" jsonschema:"required,enum=delete,enum=kill,enum=crash,enum=unready"`
}

// NodeFault is what happens to a node. It ends with the scenario.
type NodeFault struct {
	// Name of the node, or the role of nodes (worker, control-plane) of which the run's seed chooses one.
	Name string `yaml:"name,omitempty"`
	Role string `yaml:"role,omitempty" jsonschema:"enum=worker,enum=control-plane"`
	// The node of a pod that is an endpoint of the Service.
	Service string `yaml:"service,omitempty"`
	// cordon: no new pods. drain: its pods are evicted, too. uncordon: as before.
	Action string `yaml:"action" jsonschema:"required,enum=cordon,enum=drain,enum=uncordon"`
}

// Mutant is one plausible wrong answer: what a student could have written instead of one of the manifests. The scenario has
// to fail with it, in the step and for the reason that it says.
type Mutant struct {
	// What is wrong, in a few words: "the name of the service for the name of the port".
	Name string `yaml:"name" jsonschema:"required"`
	// Changes to objects, made before they are applied.
	Patch []Patch `yaml:"patch,omitempty"`
	// Manifest files whose objects stand in for those of the same kind and name; others of theirs are added.
	Apply Strings `yaml:"apply,omitempty"`
	// Objects that are left out, as KIND/NAME.
	Omit Strings `yaml:"omit,omitempty"`
	// What the cluster must be able to do for the mistake to show, beside what the scenario requires.
	Requires []cluster.Capability `yaml:"requires,omitempty"`
	// How it has to be caught.
	Caught Caught `yaml:"caught" jsonschema:"required"`
}

// Caught says how a mutant has to be caught. Being caught for another reason is a fault of the scenario.
type Caught struct {
	// The name of the step that has to fail.
	Step string `yaml:"step,omitempty"`
	// Text in what the report says of that step: a mismatch, the controller's reason, an Event, an API server's refusal.
	Message Strings `yaml:"message" jsonschema:"required,minItems=1"`
}
