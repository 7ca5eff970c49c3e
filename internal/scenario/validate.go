package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// maxName leaves room in a namespace's 63 characters for "lab-" and the run.
const maxName = 40

var scenarioName = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

// Validate returns everything that is wrong with a scenario itself, leaving its manifests aside. It is pure.
func Validate(s *Scenario) strictyaml.Diagnostics {
	c := &checker{file: s.file, positions: s.positions}
	c.head(s)
	for i, capability := range s.Requires {
		c.capability(fmt.Sprintf("requires[%d]", i), capability)
	}
	CheckLocks(c.fault, s.Exclusive, s.Locks, s.Tolerates)
	if len(s.Steps) == 0 {
		c.fault("steps", "a scenario needs steps")
	}
	c.steps("steps", s.Steps)
	c.mutants(s)
	c.shared(s)
	return c.faults
}

// ValidateCheck returns everything that is wrong with the steps of a check, which may look and not touch: its verbs are
// expect, wait, exec and traffic. path is where the steps stand in the file.
func ValidateCheck(file string, positions strictyaml.Positions, path string, steps []Step) strictyaml.Diagnostics {
	c := &checker{file: file, positions: positions}
	if len(steps) == 0 {
		c.fault(path, "a check needs steps")
	}
	for i, step := range steps {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.onlyVerbs(at, step, "a check changes nothing", "expect", "wait", "exec", "traffic")
		if step.Traffic != nil && step.Traffic.While != nil {
			c.fault(at+".traffic.while", "a check changes nothing: give requests")
		}
		if step.Wait != nil && step.Wait.Ready {
			c.fault(at+".wait.ready", "a check applies nothing that could be ready: name a deployment, service or pod")
		}
	}
	c.steps(path, steps)
	return c.faults
}

// checker collects faults.
type checker struct {
	file      string
	positions strictyaml.Positions
	faults    strictyaml.Diagnostics
	// clients have a certificate from a step before.
	clients []string
}

func (c *checker) fault(path, format string, args ...any) {
	c.add(path, "", format, args...)
}

func (c *checker) add(path, suggestion, format string, args ...any) {
	c.faults = append(c.faults, strictyaml.Diagnostic{
		File: c.file, Position: c.positions.At(path), Path: path, Message: fmt.Sprintf(format, args...), Suggestion: suggestion,
	})
}

func (c *checker) head(s *Scenario) {
	if s.APIVersion != APIVersion {
		c.fault("apiVersion", "is %q, must be %s", s.APIVersion, APIVersion)
	}
	if s.Kind != Kind {
		c.fault("kind", "is %q, must be %s", s.Kind, Kind)
	}
	if !scenarioName.MatchString(s.Metadata.Name) || len(s.Metadata.Name) > maxName {
		c.fault("metadata.name", "%q is not a name: at most %d lower-case letters, digits and hyphens, a letter first", s.Metadata.Name, maxName)
	}
	if strings.TrimSpace(s.Metadata.Title) == "" {
		c.fault("metadata.title", "is missing: one sentence that is true if the scenario passes")
	}
}

func (c *checker) capability(path string, capability cluster.Capability) {
	var known []string
	for _, k := range cluster.Requirements() {
		known = append(known, string(k))
	}
	if !slices.Contains(known, string(capability)) {
		c.add(path, strictyaml.Nearest(string(capability), known), "nothing provides %q, one can require %s", capability, strings.Join(known, ", "))
	}
}

func (c *checker) steps(path string, steps []Step) {
	for i, step := range steps {
		c.step(fmt.Sprintf("%s[%d]", path, i), step)
	}
}

func (c *checker) step(path string, step Step) {
	switch verbs := step.verbs(); len(verbs) {
	case 0:
		c.fault(path, "the step has no verb, the verbs are %s", strings.Join(Verbs(), ", "))
	case 1:
	default:
		c.fault(path, "the step has %d verbs (%s): make each a step of its own", len(verbs), strings.Join(verbs, ", "))
	}
	c.targets(path+".apply", step.Apply, false)
	c.targets(path+".delete", step.Delete, true)
	c.changes(path, step)
	if step.Wait != nil {
		c.wait(path+".wait", *step.Wait)
	}
	if step.Exec != nil {
		c.exec(path+".exec", *step.Exec)
	}
	if step.Expect != nil {
		c.expect(path+".expect", *step.Expect)
	}
	if step.Traffic != nil {
		c.traffic(path+".traffic", *step.Traffic)
	}
	if step.Never != nil {
		c.never(path+".never", *step.Never)
	}
}

// changes checks the verbs that change something.
func (c *checker) changes(path string, step Step) {
	if step.Patch != nil {
		c.patch(path+".patch", *step.Patch)
	}
	if step.Rollout != nil {
		c.rollout(path+".rollout", *step.Rollout)
	}
	if step.Fault != nil {
		c.faultStep(path+".fault", *step.Fault)
	}
	if step.Scale != nil {
		c.scale(path+".scale", *step.Scale)
	}
	if step.Certificate != nil {
		c.certificate(path+".certificate", *step.Certificate)
	}
}

func (c *checker) targets(path string, targets Strings, objects bool) {
	if targets != nil && len(targets) == 0 {
		c.fault(path, "names nothing")
	}
	for i, target := range targets {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case isFile(target):
		case !objects:
			c.fault(at, "%q is not a manifest file (.yaml, .yml or .json)", target)
		default:
			if _, err := parseReference(target); err != nil {
				c.add(at, err.nearest, "%v", err)
			}
		}
	}
}

func (c *checker) wait(path string, w Wait) {
	subjects := given(map[string]bool{
		"ready": w.Ready, "ingress": w.Ingress != "", "deployment": w.Deployment != "", "service": w.Service != "", "pod": w.Pod != "",
		"object": w.Object != "",
	})
	if len(subjects) != 1 {
		c.fault(path, "exactly one of ready, ingress, deployment, service, pod and object is needed, %s", count(subjects))
		return
	}
	subject := subjects[0]
	c.goesWith(path+".address", subject, "ingress", w.Address != nil, w.Addresses == "")
	c.goesWith(path+".addresses", subject, "ingress", w.Addresses != "", false)
	if w.Address != nil && w.Addresses != "" {
		c.fault(path, "exactly one of address and addresses is needed, both are given")
	}
	c.goesWith(path+".endpoints", subject, "service", w.Endpoints != nil, true)
	if subject != "pod" {
		c.goesWith(path+".condition", subject, "deployment", w.Condition != "", false)
	}
	if w.Endpoints != nil && *w.Endpoints < 0 {
		c.fault(path+".endpoints", "%d is less than zero", *w.Endpoints)
	}
	c.goesWith(path+".exists", subject, "object", w.Exists != nil, false)
	c.goesWith(path+".jsonpath", subject, "object", w.JSONPath != "", false)
	c.goesWith(path+".value", subject, "object", w.Value != nil, false)
	c.goesWith(path+".namespace", subject, "object", w.Namespace != "", false)
	if subject == "object" {
		c.waitObject(path, w)
	}
}

func (c *checker) waitObject(path string, w Wait) {
	if _, err := parseObject(w.Object); err != nil {
		c.add(path+".object", err.nearest, "%v", err)
	}
	if w.Namespace != noNamespace {
		c.inNamespace(path+".namespace", w.Namespace)
	}
	if both := given(map[string]bool{"exists": w.Exists != nil, "jsonpath": w.JSONPath != ""}); len(both) != 1 {
		c.fault(path, "exactly one of exists and jsonpath is needed, %s", count(both))
	}
	if (w.JSONPath == "") != (w.Value == nil) {
		c.fault(path, "jsonpath and value go together: the field, and what it has to be")
	}
	if _, err := parseJSONPath(w.JSONPath); err != nil {
		c.fault(path+".jsonpath", "%q is not a path in kubectl's notation, such as {.spec.type}: %v", w.JSONPath, err)
	} else if w.JSONPath != "" && !strings.Contains(w.JSONPath, "{") {
		c.add(path+".jsonpath", "{"+w.JSONPath+"}", "%q has no braces, so it would be plain text", w.JSONPath)
	}
}

func (c *checker) scale(path string, s Scale) {
	if s.Deployment == "" {
		c.fault(path+".deployment", "is missing: whose pods?")
	}
	if s.Replicas == nil {
		c.fault(path+".replicas", "is missing: how many pods?")
	} else if *s.Replicas < 0 {
		c.fault(path+".replicas", "%d is less than zero", *s.Replicas)
	}
}

func (c *checker) certificate(path string, cert Certificate) {
	if cert.Secret == "" && cert.Client == "" {
		c.fault(path, "nobody would have the certificate: give secret or client")
	}
	if cert.Client != "" {
		c.clients = append(c.clients, cert.Client)
		if len(cert.Hosts) > 0 {
			c.fault(path, "is either a server's, with hosts, or a client's: make two")
		}
	}
	for i, host := range cert.Hosts {
		at := fmt.Sprintf("%s.hosts[%d]", path, i)
		if name := strings.ToLower(strings.TrimPrefix(host, "*.")); len(validation.IsDNS1123Subdomain(name)) > 0 {
			c.fault(at, "%q is not a DNS name", host)
		}
	}
}

// goesWith reports a field that is given although the subject is not its own, or not given although it is.
func (c *checker) goesWith(path, subject, owner string, isGiven, needed bool) {
	field := path[strings.LastIndex(path, ".")+1:]
	if isGiven && subject != owner {
		c.fault(path, "%s says nothing about a wait for %s", field, subject)
	}
	if !isGiven && needed && subject == owner {
		c.fault(path, "is missing: a wait for %s needs %s", owner, field)
	}
}

// given returns the names that are true, sorted.
func given(all map[string]bool) []string {
	var names []string
	for name, is := range all {
		if is {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func count(names []string) string {
	if len(names) == 0 {
		return "none is given"
	}
	return strings.Join(names, " and ") + " are given"
}
