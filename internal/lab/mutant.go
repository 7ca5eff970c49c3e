package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// MutantsFile holds a lab's wrong answers: a YAML list of Mutant. The manifests that they name are in the directory mutants/.
const MutantsFile = "mutants.yaml"

// readMutants reads mutants.yaml, if there is one, and the manifests of mutants/.
func (l *Lab) readMutants() (strictyaml.Diagnostics, error) {
	file := filepath.Join(l.Dir, MutantsFile)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	positions, faults := strictyaml.Decode(file, data, 1, &l.Mutants)
	l.mutantPositions = positions
	dir := filepath.Join(l.Dir, "mutants")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return faults, nil
	}
	manifests, more, err := readManifests(dir)
	if err != nil {
		return nil, err
	}
	for _, m := range manifests {
		l.mutantFiles[filepath.Base(m.File)] = m
	}
	return append(faults, more...), nil
}

// Position returns where a field of lesson.md's front matter stands, by its path: "tasks[1].check".
func (l *Lab) Position(path string) strictyaml.Position { return l.positions.At(path) }

// MutantPosition returns where a field of mutants.yaml stands, by its path: "[2].name".
func (l *Lab) MutantPosition(path string) strictyaml.Position { return l.mutantPositions.At(path) }

// Mistake does what a mutant says instead of solving its task, and waits for nothing: what comes of it may never be ready. The
// tasks before it have to be solved. The error is a *StepError if the API server refuses it.
func (s *Session) Mistake(ctx context.Context, m Mutant) error {
	what := fmt.Sprintf("mutant %q", m.Name)
	steps, files := m.Steps, maps.Clone(s.lab.files)
	if len(steps) == 0 {
		task, err := s.lab.Task(m.Task)
		if err != nil {
			return err
		}
		if steps = task.Solution; len(steps) == 0 {
			steps = []scenario.Step{{Apply: slices.Sorted(maps.Keys(files))}}
		}
	}
	// What a solution waits for need not come of a mistake.
	steps = slices.DeleteFunc(slices.Clone(steps), func(step scenario.Step) bool {
		return step.Wait != nil || step.Rollout != nil && step.Rollout.Status != ""
	})
	var applied []string
	for _, step := range steps {
		applied = append(applied, step.Apply...)
	}
	if len(m.Patch)+len(m.Apply)+len(m.Omit) > 0 {
		var err error
		if files, err = s.lab.mutated(m, applied); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	for name, manifest := range s.lab.mutantFiles {
		if _, ok := files[name]; !ok {
			files[name] = manifest
		}
	}
	_, err := s.carryOut(ctx, what, files, steps)
	return err
}

// origin is the annotation that says, while objects are mutated, which file they are from.
const origin = "ingresslab.dev/from-file"

// mutated returns the files of solution/ as the mutant has them. applied are those that its task applies: the mutant changes what is
// in them, and what it adds goes into the last of them.
func (l *Lab) mutated(m Mutant, applied []string) (map[string]scenario.Manifest, error) {
	var objects, stands []*unstructured.Unstructured
	homes, last := map[key]string{}, ""
	for _, name := range applied {
		if _, ok := l.files[name]; !ok {
			continue // of mutants/, which is wrong by itself
		}
		for _, o := range l.files[name].Objects {
			o = o.DeepCopy()
			annotate(o, name)
			objects, homes[keyOf(o)], last = append(objects, o), name, name
		}
	}
	for _, name := range m.Apply {
		manifest, ok := l.mutantFiles[name]
		if !ok {
			return nil, fmt.Errorf("there is no file %s in %s", name, filepath.Join(l.Dir, "mutants"))
		}
		stands = append(stands, manifest.Objects...)
	}
	changed, err := scenario.Mutate(objects, scenario.Mutation{Patch: m.Patch, Apply: stands, Omit: m.Omit})
	if err != nil {
		return nil, err
	}
	files := maps.Clone(l.files)
	for _, name := range applied {
		if manifest, ok := files[name]; ok {
			manifest.Objects = nil
			files[name] = manifest
		}
	}
	for _, o := range changed {
		home := o.GetAnnotations()[origin]
		annotate(o, "")
		if home == "" {
			home = homes[keyOf(o)]
		}
		if home == "" {
			home = last
		}
		if home == "" {
			return nil, errors.New("its task applies no files that could be changed: say with do what is done instead")
		}
		manifest := files[home]
		manifest.Objects = append(manifest.Objects, o)
		files[home] = manifest
	}
	return files, nil
}

// annotate sets the origin of an object, or takes it away.
func annotate(o *unstructured.Unstructured, file string) {
	annotations := o.GetAnnotations()
	if file == "" {
		delete(annotations, origin)
	} else {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[origin] = file
	}
	if len(annotations) == 0 {
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
		return
	}
	o.SetAnnotations(annotations)
}

// Holdings returns what is in the lab's namespace, whoever made it, and what the lab has outside of it. The controller's ConfigMap
// is among it if the lab is about it and there is data in it.
func (s *Session) Holdings(ctx context.Context) ([]*unstructured.Unstructured, error) {
	clientset := s.env.Kube.Clientset()
	objects, err := inventory(ctx, clientset, s.lab.Namespace)
	if err != nil {
		return nil, err
	}
	found, err := lentTo(ctx, clientset, s.lab)
	if err != nil {
		return nil, err
	}
	objects = append(objects, found.ours...)
	if _, config := withoutConfig(s.lab.Named()); config == nil {
		return objects, nil
	}
	configs, err := inventoryOf(ctx, clientset, ControllerNamespace, "ConfigMap")
	for _, o := range configs {
		if data, _, _ := unstructured.NestedMap(o.Object, "data"); isConfig(o) && len(data) > 0 {
			objects = append(objects, o)
		}
	}
	return objects, err
}
