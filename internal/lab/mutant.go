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

// MutantsFile is a YAML list of Mutant. Its manifests are in the directory mutants/.
const MutantsFile = "mutants.yaml"

// readMutants reads mutants.yaml, which need not exist, and the manifests of mutants/.
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

// Position returns the position of a field in lesson.md, such as "tasks[1].check".
func (l *Lab) Position(path string) strictyaml.Position { return l.positions.At(path) }

// MutantPosition returns the position of a field in mutants.yaml, such as "[2].name".
func (l *Lab) MutantPosition(path string) strictyaml.Position { return l.mutantPositions.At(path) }

// Mistake runs a mutant in place of its task's solution. It does not wait, because the objects
// might never become ready. Earlier tasks must already be solved. The error is a *StepError if the
// API server rejects the mutant.
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
	// Skip waits, because a mutant does not need to meet their conditions.
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
	_, err := s.runSteps(ctx, what, files, steps)
	return err
}

// origin is a temporary annotation with the file of an object.
const origin = "ingresslab.dev/from-file"

// mutated returns the files of solution/ after the mutant's changes. The mutant changes objects in
// the files that applied lists, and adds new objects to the last of these files.
func (l *Lab) mutated(m Mutant, applied []string) (map[string]scenario.Manifest, error) {
	var objects, stands []*unstructured.Unstructured
	homes, last := map[key]string{}, ""
	for _, name := range applied {
		if _, ok := l.files[name]; !ok {
			continue // a file of mutants/ needs no change
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
			return nil, fmt.Errorf("%s not found in %s", name, filepath.Join(l.Dir, "mutants"))
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
			return nil, errors.New("the solution of its task applies no files to change; set steps instead")
		}
		manifest := files[home]
		manifest.Objects = append(manifest.Objects, o)
		files[home] = manifest
	}
	return files, nil
}

// annotate sets the origin of an object, or removes it if file is empty.
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

// Objects returns all objects in the lab's namespace and the lab's shared objects. They include the
// controller's ConfigMap if the lab changes it and it has data.
func (s *Session) Objects(ctx context.Context) ([]*unstructured.Unstructured, error) {
	clientset := s.env.Kube.Clientset()
	objects, err := inventory(ctx, clientset, s.lab.Namespace)
	if err != nil {
		return nil, err
	}
	found, err := findShared(ctx, clientset, s.lab)
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
