package scenario

import (
	"cmp"
	"context"
	"fmt"
)

// Fault is a fault to inject. Exactly one of pod and node is given.
type Fault struct {
	Pod  *PodFault  `yaml:"pod,omitempty"`
	Node *NodeFault `yaml:"node,omitempty"`
}

// PodFault is a fault of pods. Exactly one of name, service, workload, and session is given.
type PodFault struct {
	// Name of the pod.
	Name string `yaml:"name,omitempty"`
	// The Service whose endpoints the pods are.
	Service string `yaml:"service,omitempty"`
	// The pods of a workload, as KIND/NAME.
	Workload string `yaml:"workload,omitempty"`
	// Name of a session. The fault affects the pod that served the session's last step.
	Session string `yaml:"session,omitempty"`
	// The namespace of the pods; the run's own if not given.
	Namespace string `yaml:"namespace,omitempty"`
	// How many pods, selected by the run's seed; 1 if not given.
	Count int `yaml:"count,omitempty" jsonschema:"minimum=1"`
	// delete: graceful, as in a rollout. kill: without a grace period. crash: the process exits
	// with an error, and restarts. unready: the readiness probe fails until the pod is replaced.
	Action string `yaml:"action" jsonschema:"required,enum=delete,enum=kill,enum=crash,enum=unready"`
}

// NodeFault is a fault of a node. It ends with the scenario.
type NodeFault struct {
	// Name of the node, or the role (worker, control-plane) from which the run's seed selects a
	// node.
	Name string `yaml:"name,omitempty"`
	Role string `yaml:"role,omitempty" jsonschema:"enum=worker,enum=control-plane"`
	// The Service that has a pod on the node as an endpoint.
	Service string `yaml:"service,omitempty"`
	// cordon: no new pods. drain: evict its pods, too. uncordon: accept pods again.
	Action string `yaml:"action" jsonschema:"required,enum=cordon,enum=drain,enum=uncordon"`
}

func (f Fault) validate(c *checker, path string) {
	c.exactlyOne(path, choice{"pod", f.Pod != nil}, choice{"node", f.Node != nil})
	if p := f.Pod; p != nil {
		p.validate(c, path+".pod")
	}
	n := f.Node
	if n == nil {
		return
	}
	c.exactlyOne(path+".node", choice{"name", n.Name != ""}, choice{"role", n.Role != ""}, choice{"service", n.Service != ""})
	c.oneOf(path+".node.action", n.Action, "cordon", "drain", "uncordon")
	if n.Role != "" {
		c.oneOf(path+".node.role", n.Role, "worker", "control-plane")
	}
}

func (p PodFault) validate(c *checker, path string) {
	c.exactlyOne(path, choice{"name", p.Name != ""}, choice{"service", p.Service != ""}, choice{"workload", p.Workload != ""},
		choice{"session", p.Session != ""})
	if p.Workload != "" {
		c.workload(path+".workload", p.Workload, "deployment", "daemonset", "statefulset", "replicaset")
	}
	if p.Count < 0 || p.Count > 1 && (p.Name != "" || p.Session != "") {
		c.fault(path+".count", "%d pods cannot be selected by name or session, which refer to one pod", p.Count)
	}
	c.inNamespace(path+".namespace", p.Namespace)
	c.oneOf(path+".action", p.Action, "delete", "kill", "crash", "unready")
}

func (f Fault) traits() traits {
	t := traits{inSolution: true}
	if f.Node != nil {
		t.shared = fieldRef{"node", "a node"}
	} else if f.Pod != nil {
		t.session, t.shared = f.Pod.Session, sharedNamespace("pod.namespace", f.Pod.Namespace)
	}
	return t
}

func (f Fault) describe(isolation) string {
	if f.Node != nil {
		return fmt.Sprintf("%s %s", f.Node.Action, f.Node.target())
	}
	p := *f.Pod
	do := cmp.Or(map[string]string{"unready": "make unready"}[p.Action], p.Action)
	switch {
	case p.Session != "":
		return do + " the pod that answered last in session " + p.Session
	case p.Name != "":
		return do + " pod " + p.Name
	}
	count := "a pod"
	if p.Count > 1 {
		count = fmt.Sprintf("%d pods", p.Count)
	}
	of := p.Workload
	if p.Service != "" {
		of = "service " + p.Service
	}
	return fmt.Sprintf("%s %s of %s", do, count, of) + inNamespace(p.Namespace)
}

func (f NodeFault) target() string {
	switch {
	case f.Service != "":
		return "the node of a pod of service " + f.Service
	case f.Role != "":
		return "a " + f.Role + " node"
	}
	return "node " + f.Name
}

// cannotError reports a fault that cannot be injected. This is a failure of the scenario.
type cannotError struct{ text string }

func (e *cannotError) Error() string { return e.text }

func cannot(format string, args ...any) error { return &cannotError{fmt.Sprintf(format, args...)} }

// run injects the fault. It does not wait for the consequences.
func (f Fault) run(ctx context.Context, r *runner, report *StepReport) error {
	r.disturbed = true
	var what string
	var err error
	if f.Pod != nil {
		what, err = r.podFault(ctx, *f.Pod)
	} else {
		what, err = r.nodeFault(ctx, *f.Node)
	}
	report.Summary = what
	report.Outcome = outcomeOf(err)
	if _, is := err.(*cannotError); is { //nolint:errorlint // it is never wrapped
		report.Outcome = Failed
	}
	return err
}
