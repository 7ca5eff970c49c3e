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

// maxName leaves space for "lab-" and the run's name in a namespace, which has at most 63
// characters.
const maxName = 40

var scenarioName = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

// Validate returns all errors of a scenario itself. It reads no files, and does not check
// manifests.
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

// ValidateCheck returns all errors of a check's steps, whose verbs change nothing. path is their
// position.
func ValidateCheck(file string, positions strictyaml.Positions, path string, steps []Step) strictyaml.Diagnostics {
	c := &checker{file: file, positions: positions}
	if len(steps) == 0 {
		c.fault(path, "a check needs steps")
	}
	c.onlyVerbs(path, steps, "a check changes nothing", func(v verb) bool { _, is := v.(observer); return is })
	for i, step := range steps {
		for _, v := range step.verbs() {
			if o, is := v.verb.(observer); is {
				o.validateInCheck(c, fmt.Sprintf("%s[%d].%s", path, i, v.key))
			}
		}
	}
	c.steps(path, steps)
	return c.faults
}

// ValidateSolution returns all errors of a solution's steps, whose verbs change something or wait.
// path is their position.
func ValidateSolution(file string, positions strictyaml.Positions, path string, steps []Step) strictyaml.Diagnostics {
	c := &checker{file: file, positions: positions}
	c.onlyVerbs(path, steps, "a solution changes the cluster", func(v verb) bool { return v.traits().inSolution })
	c.steps(path, steps)
	return c.faults
}

// onlyVerbs reports steps with verbs that are not allowed.
func (c *checker) onlyVerbs(path string, steps []Step, why string, allows func(verb) bool) {
	var allowed []string
	for _, v := range allVerbs() {
		if allows(v.verb) {
			allowed = append(allowed, v.key)
		}
	}
	for i, step := range steps {
		for _, v := range step.verbs() {
			if !allows(v.verb) {
				c.fault(fmt.Sprintf("%s[%d]", path, i), "%s: %s is not allowed; use %s", why, v.key, strings.Join(allowed, ", "))
			}
		}
	}
}

type checker struct {
	file      string
	positions strictyaml.Positions
	faults    strictyaml.Diagnostics
	clients   []string // clients are the clients for which earlier steps created a certificate
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
		c.fault("metadata.title", "is missing; write a sentence that is true if the scenario passes")
	}
}

func (c *checker) capability(path string, capability cluster.Capability) {
	var known []string
	for _, k := range cluster.Requirements() {
		known = append(known, string(k))
	}
	if !slices.Contains(known, string(capability)) {
		c.add(path, strictyaml.Nearest(string(capability), known), "%q is unknown; known requirements are %s", capability, strings.Join(known,
			", "))
	}
}

func (c *checker) steps(path string, steps []Step) {
	for i, step := range steps {
		at := fmt.Sprintf("%s[%d]", path, i)
		verbs := step.verbs()
		var keys []string
		for _, v := range verbs {
			keys = append(keys, v.key)
		}
		switch len(verbs) {
		case 0:
			c.fault(at, "the step has no verb; the verbs are %s", strings.Join(Verbs(), ", "))
		case 1:
		default:
			c.fault(at, "the step has %d verbs (%s); write one step for each", len(verbs), strings.Join(keys, ", "))
		}
		for _, v := range verbs {
			v.validate(c, at+"."+v.key)
		}
	}
}

func (c *checker) targets(path string, targets []string, objects bool) {
	if targets != nil && len(targets) == 0 {
		c.fault(path, "is empty")
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

// choice is one of several fields of which exactly one must be given.
type choice struct {
	field string
	given bool
}

// exactlyOne returns the given field. It reports an error unless exactly one is given.
func (c *checker) exactlyOne(path string, choices ...choice) string {
	var all, given []string
	for _, one := range choices {
		all = append(all, one.field)
		if one.given {
			given = append(given, one.field)
		}
	}
	if len(given) == 1 {
		return given[0]
	}
	fields := strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
	count := "none is given"
	if len(given) > 0 {
		count = strings.Join(given, " and ") + " are given"
	}
	c.fault(path, "exactly one of %s is needed, %s", fields, count)
	return ""
}

// CheckLocks validates locks and tolerations of a scenario or a lab. A namespace has a label for
// each lock.
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

// changesMore reports whether the scenario declares changes outside its namespace.
func (s *Scenario) changesMore() bool { return s.Exclusive || len(s.Locks) > 0 }

// shared reports a step that changes something outside the run's namespace, if the scenario has no
// lock.
func (c *checker) shared(s *Scenario) {
	if s.changesMore() {
		return
	}
	eachStep("steps", s.Steps, func(path string, step Step) {
		for _, v := range step.verbs() {
			if shared := v.traits().shared; shared.name != "" {
				c.fault(path+"."+v.key+"."+shared.field,
					"%s is shared; add a name to locks, or set exclusive: true if the change affects every host", shared.name)
			}
		}
	})
}

// sharedNamespace returns the shared namespace that a verb changes, if any.
func sharedNamespace(field, namespace string) fieldRef {
	if namespace != SystemNamespace {
		return fieldRef{}
	}
	return fieldRef{field, SystemNamespace}
}

// inNamespace validates the namespace of an object that a step changes.
func (c *checker) inNamespace(path, namespace string) {
	if namespace != "" && namespace != SystemNamespace {
		c.add(path, strictyaml.Nearest(namespace, []string{SystemNamespace}), "%q is neither the run's own namespace (leave it out) nor %s",
			namespace, SystemNamespace)
	}
}

// object validates the KIND/NAME of an object that a step changes.
func (c *checker) object(path, text string) {
	if text == "" {
		c.fault(path, "is missing; write KIND/NAME")
		return
	}
	o, err := parseObject(text)
	if err != nil {
		c.add(path, err.nearest, "%v", err)
		return
	}
	if isClusterWide(o) {
		c.fault(path, "%s has no namespace; a step can change only objects that have one", text)
	}
}

// workload validates a KIND/NAME whose kind must be one of kinds.
func (c *checker) workload(path, text string, kinds ...string) {
	kind, name, _ := strings.Cut(text, "/")
	switch {
	case name == "" || strings.Contains(name, "/"):
		c.fault(path, "%q is not KIND/NAME, such as deployment/web", text)
	case !slices.Contains(kinds, strings.ToLower(kind)):
		c.add(path, strictyaml.Nearest(kind, kinds), "%q is none of %s", kind, strings.Join(kinds, ", "))
	}
}

// oneOf validates a word against a list.
func (c *checker) oneOf(path, word string, known ...string) {
	if !slices.Contains(known, word) {
		c.add(path, strictyaml.Nearest(word, known), "%q is none of %s", word, strings.Join(known, ", "))
	}
}

// pods reports steps that refer to a pod that is in no manifest.
func (c *checker) pods(s *Scenario, read reading) {
	var pods []string
	for _, m := range read.manifests {
		for _, o := range m.Objects {
			if o.GetKind() == "Pod" {
				pods = append(pods, o.GetName())
			}
		}
	}
	slices.Sort(pods)
	eachStep("steps", s.Steps, func(path string, step Step) {
		for _, v := range step.verbs() {
			pod := v.traits().pod
			if pod.name != "" && !strings.Contains(pod.name, "/") && !slices.Contains(pods, pod.name) {
				c.add(path+"."+v.key+"."+pod.field, strictyaml.Nearest(pod.name, pods), "no manifest has a pod %q", pod.name)
			}
		}
	})
}
