package scenario

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// flaw is an error in a part of a mutant, such as patch[0], apply[1], or omit[2].
type flaw struct {
	part string
	err  error
}

// mutate returns the manifests after the mutant's changes. It changes an object in each file that
// contains the object. It adds new objects to the first file that a step applies.
func (s *Scenario) mutate(m Mutant) (map[string]Manifest, []flaw) {
	var flaws []flaw
	files := s.appliedFiles()
	if len(files) == 0 {
		return nil, []flaw{{"", errors.New("the scenario applies no manifest")}}
	}
	mutated := maps.Clone(s.manifests)
	for i, target := range m.Omit {
		flaws = append(flaws, change(mutated, files, fmt.Sprintf("omit[%d]", i), target, Mutation{Omit: []string{target}})...)
	}
	for _, name := range m.Apply {
		for _, o := range s.manifests[name].Objects {
			replace(mutated, files, o)
		}
	}
	for i, p := range m.Patch {
		flaws = append(flaws, change(mutated, files, fmt.Sprintf("patch[%d]", i), p.Object, Mutation{Patch: []Patch{p}})...)
	}
	return mutated, flaws
}

func (s *Scenario) appliedFiles() []string {
	var files []string
	eachStep("steps", s.Steps, func(_ string, step Step) {
		for _, name := range step.Apply {
			if !slices.Contains(files, name) {
				files = append(files, name)
			}
		}
	})
	return files
}

// change makes one change in each file that has the object. If no file has it, change returns a
// flaw.
func change(manifests map[string]Manifest, files []string, part, target string, m Mutation) []flaw {
	var there []string
	var failed error
	done := false
	for _, name := range files {
		manifest := manifests[name]
		for _, o := range manifest.Objects {
			there = append(there, strings.ToLower(o.GetKind())+"/"+o.GetName())
		}
		if _, err := indexOf(manifest.Objects, target, ""); err != nil {
			continue
		}
		objects, err := Mutate(manifest.Objects, m)
		if err != nil {
			failed = fmt.Errorf("in %s: %w", name, err)
			continue
		}
		manifest.Objects, done = objects, true
		manifests[name] = manifest
	}
	switch {
	case done:
		return nil
	case failed != nil:
		return []flaw{{part, failed}}
	}
	if _, err := parseReference(target); err != nil {
		return []flaw{{part, err}}
	}
	slices.Sort(there)
	return []flaw{{part, fmt.Errorf("the scenario does not apply %s, only %s", target, strings.Join(slices.Compact(there), ", "))}}
}

// replace replaces the objects of the same kind and name, or adds the object to the first file.
func replace(manifests map[string]Manifest, files []string, o *unstructured.Unstructured) {
	isNew := true
	for _, name := range files {
		manifest := manifests[name]
		if !slices.ContainsFunc(manifest.Objects, func(other *unstructured.Unstructured) bool { return isSame(o, other) }) {
			continue
		}
		isNew = false
		manifest.Objects = slices.Clone(manifest.Objects)
		for i, other := range manifest.Objects {
			if isSame(o, other) {
				manifest.Objects[i] = o
			}
		}
		manifests[name] = manifest
	}
	if isNew {
		first := manifests[files[0]]
		first.Objects = append(slices.Clone(first.Objects), o)
		manifests[files[0]] = first
	}
}

// mutants validates mutants, but not the changes to manifests, which validateMutants validates.
func (c *checker) mutants(s *Scenario) {
	var names, stepNames []string
	eachStep("steps", s.Steps, func(_ string, step Step) {
		if step.Name != "" {
			stepNames = append(stepNames, step.Name)
		}
	})
	for i, m := range s.Mutants {
		at := fmt.Sprintf("mutants[%d]", i)
		switch {
		case strings.TrimSpace(m.Name) == "":
			c.fault(at+".name", "is missing; describe the mistake in a few words")
		case slices.Contains(names, m.Name):
			c.fault(at+".name", "%q is the name of an earlier mutant", m.Name)
		}
		names = append(names, m.Name)
		if len(m.Patch)+len(m.Apply)+len(m.Omit) == 0 {
			c.fault(at, "changes nothing; set patch, apply, or omit")
		}
		for n, p := range m.Patch {
			if (p.Merge == nil) == (p.JSON == nil) {
				c.fault(fmt.Sprintf("%s.patch[%d]", at, n), "exactly one of merge and json is needed")
			}
		}
		c.targets(at+".apply", m.Apply, false)
		for n, capability := range m.Requires {
			c.capability(fmt.Sprintf("%s.requires[%d]", at, n), capability)
		}
		if name := m.Caught.Step; name != "" && !slices.Contains(stepNames, name) {
			c.add(at+".caught.step", strictyaml.Nearest(name, stepNames), "no step has the name %q", name)
		}
		c.messages(at+".caught.message", m.Caught.Message)
	}
}

func (c *checker) messages(path string, texts Strings) {
	if len(texts) == 0 {
		c.fault(path, "is missing; set text from the report of the failing step")
	}
	for i, text := range texts {
		if strings.TrimSpace(text) == "" {
			c.fault(fmt.Sprintf("%s[%d]", path, i), "is empty, and matches every report")
		}
	}
}

// validateMutants returns all errors in the changes that mutants make to manifests.
func validateMutants(s *Scenario, read reading) strictyaml.Diagnostics {
	c := &checker{file: s.file, positions: s.positions}
	for i, m := range s.Mutants {
		readable := true
		for n, name := range m.Apply {
			c.manifestFile(fmt.Sprintf("mutants[%d].apply[%d]", i, n), name, read.errs[name])
			readable = readable && read.errs[name] == nil
		}
		if !readable {
			continue
		}
		_, flaws := s.mutate(m)
		for _, f := range flaws {
			c.fault(strings.TrimSuffix(fmt.Sprintf("mutants[%d].%s", i, f.part), "."), "%v", f.err)
		}
	}
	return c.faults
}

// WithMutant returns the scenario with the manifests of a mutant.
func (s *Scenario) WithMutant(m Mutant) (*Scenario, error) {
	manifests, flaws := s.mutate(m)
	if len(flaws) > 0 {
		return nil, fmt.Errorf("%s: %w", flaws[0].part, flaws[0].err)
	}
	mutated := *s
	mutated.manifests = manifests
	return &mutated, nil
}

// LineOf returns the line of a mutant in the scenario's file, or 0 if unknown.
func (s *Scenario) LineOf(m Mutant) int {
	at := slices.IndexFunc(s.Mutants, func(other Mutant) bool { return other.Name == m.Name })
	if at < 0 {
		return 0
	}
	return s.positions.At(fmt.Sprintf("mutants[%d]", at)).Line
}

// OtherPods returns the workloads that a mutant changes, omits, or adds. A changed workload is
// returned without the mutant's changes.
func (s *Scenario) OtherPods(m Mutant) []*unstructured.Unstructured {
	mutated, flaws := s.mutate(m)
	if len(flaws) > 0 {
		return nil // an invalid mutant does not run
	}
	var others []*unstructured.Unstructured
	for _, name := range s.appliedFiles() {
		for _, pair := range [][2][]*unstructured.Unstructured{
			{s.manifests[name].Objects, mutated[name].Objects}, {mutated[name].Objects, s.manifests[name].Objects},
		} {
			for _, o := range pair[0] {
				isAsThere := slices.ContainsFunc(pair[1], func(other *unstructured.Unstructured) bool { return reflect.DeepEqual(o, other) })
				isKnown := slices.ContainsFunc(others, func(other *unstructured.Unstructured) bool { return isSame(o, other) })
				if hasPods(o) && !isAsThere && !isKnown {
					others = append(others, o)
				}
			}
		}
	}
	return others
}

// Mutation is a change to a set of objects.
type Mutation struct {
	Patch []Patch // Patch changes objects, including those of Apply
	// Apply replaces objects of the same kind and name, and adds others.
	Apply []*unstructured.Unstructured
	Omit  []string // Omit removes objects, as KIND/NAME
}

// Mutate returns copies of the objects with the mutation, in order. It returns an error if a patch
// is invalid, or if an object to patch or omit does not exist.
func Mutate(objects []*unstructured.Unstructured, m Mutation) ([]*unstructured.Unstructured, error) {
	var mutated []*unstructured.Unstructured
	for _, o := range objects {
		mutated = append(mutated, o.DeepCopy())
	}
	for i, target := range m.Omit {
		at, err := indexOf(mutated, target, "")
		if err != nil {
			return nil, fmt.Errorf("omit[%d]: %w", i, err)
		}
		mutated = slices.Delete(mutated, at, at+1)
	}
	for _, o := range m.Apply {
		at := slices.IndexFunc(mutated, func(other *unstructured.Unstructured) bool { return isSame(o, other) })
		if at < 0 {
			mutated = append(mutated, o.DeepCopy())
		} else {
			mutated[at] = o.DeepCopy()
		}
	}
	for i, p := range m.Patch {
		at, err := indexOf(mutated, p.Object, p.Namespace)
		if err == nil {
			mutated[at], err = p.applyTo(mutated[at])
		}
		if err != nil {
			return nil, fmt.Errorf("patch[%d]: %w", i, err)
		}
	}
	return mutated, nil
}

// indexOf returns the index of the object KIND/NAME. If namespace is empty, any namespace matches.
func indexOf(objects []*unstructured.Unstructured, target, namespace string) (int, error) {
	wanted, refErr := parseReference(target)
	if refErr != nil {
		return 0, refErr
	}
	at := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool {
		return isSame(o, wanted) && (namespace == "" || o.GetNamespace() == namespace)
	})
	if at < 0 {
		var there []string
		for _, o := range objects {
			there = append(there, kube.Describe(o))
		}
		return 0, fmt.Errorf("there is no %s among what is applied: %s", target, strings.Join(there, ", "))
	}
	return at, nil
}
