package scenario

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// ValidateSolution returns everything that is wrong with the steps of a solution, which carry something out: apply, delete,
// patch, scale, rollout, certificate, fault and wait. path is where the steps stand in the file.
func ValidateSolution(file string, positions strictyaml.Positions, path string, steps []Step) strictyaml.Diagnostics {
	c := &checker{file: file, positions: positions}
	for i, step := range steps {
		c.onlyVerbs(fmt.Sprintf("%s[%d]", path, i), step, "a solution carries something out",
			"apply", "delete", "patch", "scale", "rollout", "certificate", "fault", "wait")
	}
	c.steps(path, steps)
	return c.faults
}

// onlyVerbs reports a step whose verb is none of those that its place allows.
func (c *checker) onlyVerbs(path string, step Step, why string, allowed ...string) {
	for _, verb := range step.verbs() {
		if !slices.Contains(allowed, verb) {
			c.fault(path, "%s, so %s is none of its verbs: they are %s", why, verb, strings.Join(allowed, ", "))
		}
	}
}

// CheckLocks finds what is wrong with the claims of a scenario or a lab, and with what it bears: namespaces have a label for each.
func CheckLocks(fault func(path, format string, args ...any), exclusive bool, locks, tolerates []string) {
	check := func(field string, names []string) {
		for i, name := range names {
			if len(validation.IsDNS1123Label(name)) > 0 {
				fault(fmt.Sprintf("%s[%d]", field, i), "%q is not a name in lower-case letters, digits and hyphens, such as node-ports", name)
			}
		}
	}
	check("locks", locks)
	check("tolerates", tolerates)
	if exclusive && len(tolerates) > 0 {
		fault("tolerates", "cannot be combined with exclusive; exclusive scenarios already run in parallel unless they share a lock")
	}
}

// changesMore tells whether the scenario says that it changes more than its own namespace.
func (s *Scenario) changesMore() bool { return s.Exclusive || len(s.Locks) > 0 }

// shared reports what a scenario changes that is everybody's, unless it says that it does.
func (c *checker) shared(s *Scenario) {
	if s.changesMore() {
		return
	}
	alone := func(path, what string) {
		c.fault(path, "%s is everybody's: say with locks what of it the scenario changes, or exclusive: true if every host meets that", what)
	}
	eachStep("steps", s.Steps, func(path string, step Step) {
		switch {
		case step.Patch != nil && step.Patch.Namespace == SystemNamespace:
			alone(path+".patch.namespace", SystemNamespace)
		case step.Rollout != nil && step.Rollout.Namespace == SystemNamespace && step.Rollout.Status == "":
			alone(path+".rollout.namespace", SystemNamespace)
		case step.Fault != nil && step.Fault.Node != nil:
			alone(path+".fault.node", "a node")
		case step.Fault != nil && step.Fault.Pod != nil && step.Fault.Pod.Namespace == SystemNamespace:
			alone(path+".fault.pod.namespace", SystemNamespace)
		}
	})
}

// inNamespace checks the namespace of something that a step changes.
func (c *checker) inNamespace(path, namespace string) {
	if namespace != "" && namespace != SystemNamespace {
		c.add(path, strictyaml.Nearest(namespace, []string{SystemNamespace}), "%q is neither the run's own namespace (leave it out) nor %s", namespace, SystemNamespace)
	}
}

// object checks a KIND/NAME of something that a step changes.
func (c *checker) object(path, text string) {
	if text == "" {
		c.fault(path, "is missing: which object, as KIND/NAME?")
		return
	}
	o, err := parseObject(text)
	if err != nil {
		c.add(path, err.nearest, "%v", err)
		return
	}
	if isClusterWide(o) {
		c.fault(path, "%s belongs to the whole cluster: only objects of a namespace can be changed", text)
	}
}

func (c *checker) patch(path string, p Patch) {
	c.object(path+".object", p.Object)
	c.inNamespace(path+".namespace", p.Namespace)
	if both := given(map[string]bool{"merge": p.Merge != nil, "json": p.JSON != nil}); len(both) != 1 {
		c.fault(path, "exactly one of merge and json is needed, %s", count(both))
	}
	if p.Merge != nil && len(p.Merge) == 0 || p.JSON != nil && len(p.JSON) == 0 {
		c.fault(path, "changes nothing")
	}
	known := []string{"add", "remove", "replace", "move", "copy", "test"}
	for i, operation := range p.JSON {
		at := fmt.Sprintf("%s.json[%d]", path, i)
		op, _ := operation["op"].(string)
		if !slices.Contains(known, op) {
			c.add(at, strictyaml.Nearest(op, known), "op %q is none of JSON patch's (RFC 6902): %s", op, strings.Join(known, ", "))
		}
		if pointer, isText := operation["path"].(string); !isText || pointer != "" && !strings.HasPrefix(pointer, "/") {
			c.fault(at, "path is no JSON pointer such as /spec/replicas")
		}
		if _, has := operation["value"]; !has && slices.Contains([]string{"add", "replace", "test"}, op) {
			c.fault(at, "value is missing: %s what?", op)
		}
	}
}

func (c *checker) rollout(path string, ro Rollout) {
	which := given(map[string]bool{"restart": ro.Restart != "", "undo": ro.Undo != "", "status": ro.Status != ""})
	if len(which) != 1 {
		c.fault(path, "exactly one of restart, undo and status is needed, %s", count(which))
		return
	}
	kinds := []string{"deployment", "daemonset", "statefulset"}
	if which[0] == "undo" {
		kinds = kinds[:1]
	}
	c.workload(path+"."+which[0], ro.target(), kinds...)
	c.inNamespace(path+".namespace", ro.Namespace)
}

// workload checks a KIND/NAME that has to be one of some kinds.
func (c *checker) workload(path, text string, kinds ...string) {
	kind, name, _ := strings.Cut(text, "/")
	switch {
	case name == "" || strings.Contains(name, "/"):
		c.fault(path, "%q is not KIND/NAME, such as deployment/web", text)
	case !slices.Contains(kinds, strings.ToLower(kind)):
		c.add(path, strictyaml.Nearest(kind, kinds), "%q is none of %s", kind, strings.Join(kinds, ", "))
	}
}

func (c *checker) exec(path string, e Exec) {
	switch {
	case e.Pod == "":
		c.fault(path+".pod", "is missing: in which pod?")
	case strings.Contains(e.Pod, "/"):
		c.workload(path+".pod", e.Pod, "deployment", "daemonset", "statefulset", "replicaset", "pod")
	}
	if len(e.Command) == 0 {
		c.fault(path+".command", "is missing: which program?")
	}
	if e.ExitCode < 0 || e.ExitCode > 255 {
		c.fault(path+".exitCode", "%d is not an exit code (0 to 255)", e.ExitCode)
	}
}

func (c *checker) never(path string, n Never) {
	c.expect(path+".expect", n.Expect)
	if n.Expect.Within != 0 {
		c.fault(path+".expect.within", "says nothing about an answer that must not come: give never its for")
	}
	if n.While != nil && len(n.While) == 0 {
		c.fault(path+".while", "has no steps: what happens meanwhile?")
	}
	c.steps(path+".while", n.While)
}

func (c *checker) faultStep(path string, f Fault) {
	if both := given(map[string]bool{"pod": f.Pod != nil, "node": f.Node != nil}); len(both) != 1 {
		c.fault(path, "exactly one of pod and node is needed, %s", count(both))
	}
	if p := f.Pod; p != nil {
		c.podFault(path+".pod", *p)
	}
	n := f.Node
	if n == nil {
		return
	}
	if who := given(map[string]bool{"name": n.Name != "", "role": n.Role != "", "service": n.Service != ""}); len(who) != 1 {
		c.fault(path+".node", "exactly one of name, role and service is needed, %s", count(who))
	}
	c.oneOf(path+".node.action", n.Action, "cordon", "drain", "uncordon")
	if n.Role != "" {
		c.oneOf(path+".node.role", n.Role, "worker", "control-plane")
	}
}

func (c *checker) podFault(path string, p PodFault) {
	who := given(map[string]bool{"name": p.Name != "", "service": p.Service != "", "workload": p.Workload != "", "session": p.Session != ""})
	if len(who) != 1 {
		c.fault(path, "exactly one of name, service, workload and session is needed, %s", count(who))
	}
	if p.Workload != "" {
		c.workload(path+".workload", p.Workload, "deployment", "daemonset", "statefulset", "replicaset")
	}
	if p.Count < 0 || p.Count > 1 && (p.Name != "" || p.Session != "") {
		c.fault(path+".count", "%d pods are more than that names", p.Count)
	}
	c.inNamespace(path+".namespace", p.Namespace)
	c.oneOf(path+".action", p.Action, "delete", "kill", "crash", "unready")
}

// oneOf checks a word that is one of a few.
func (c *checker) oneOf(path, word string, known ...string) {
	if !slices.Contains(known, word) {
		c.add(path, strictyaml.Nearest(word, known), "%q is none of %s", word, strings.Join(known, ", "))
	}
}

// from checks who asks, and where to.
func (c *checker) from(path string, e Expect) {
	if e.ConnectTo != "" {
		if _, err := parseDestination(e.ConnectTo); err != nil {
			c.fault(path+".connectTo", "%q: %v", e.ConnectTo, err)
		}
		if e.From == "" {
			c.fault(path+".connectTo", "goes with from, a pod: this machine reaches the ingress only")
		}
	}
	if e.From != "" && e.ClientCertificate != "" {
		c.fault(path+".clientCertificate", "cannot be presented from a pod: leave out from")
	}
}

// netTests reports steps that use a pod that no manifest has.
func (c *checker) netTests(s *Scenario, read reading) {
	var pods []string
	for _, m := range read.manifests {
		for _, o := range m.Objects {
			if o.GetKind() == "Pod" {
				pods = append(pods, o.GetName())
			}
		}
	}
	slices.Sort(pods)
	check := func(path, pod string) {
		if pod != "" && !strings.Contains(pod, "/") && !slices.Contains(pods, pod) {
			c.add(path, strictyaml.Nearest(pod, pods), "no manifest has a pod %q", pod)
		}
	}
	eachStep("steps", s.Steps, func(path string, step Step) {
		switch {
		case step.Expect != nil:
			check(path+".expect.from", step.Expect.From)
		case step.Never != nil:
			check(path+".never.expect.from", step.Never.Expect.From)
		case step.Exec != nil:
			check(path+".exec.pod", step.Exec.Pod)
		}
	})
}
