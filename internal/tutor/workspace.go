package tutor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/workspace"
)

// Getter reads objects of a cluster; *kube.Client is one.
type Getter interface {
	Get(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error)
}

// Files is the directory in which the student works.
type Files struct {
	// Space is the directory.
	Space *workspace.Workspace
	// Lab is whose it is.
	Lab *lab.Lab
	// Cluster returns what reads the cluster of the moment.
	Cluster func() Getter
}

// See implements Workspace. A file is left out if the cluster could not be asked.
func (f *Files) See(ctx context.Context, names []string) []FileState {
	var states []FileState
	for _, name := range names {
		if state, known := f.see(ctx, name); known {
			states = append(states, state)
		}
	}
	return states
}

func (f *Files) see(ctx context.Context, name string) (state FileState, known bool) {
	state.Name = name
	data, err := os.ReadFile(filepath.Join(f.Space.Path, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		state.Gone = true
		return state, true
	}
	if err != nil {
		state.Faults = []string{fmt.Sprintf("%s cannot be read: %v", name, err)}
		return state, true
	}
	manifest, faults := scenario.ReadManifest(name, data)
	for _, fault := range faults {
		state.Faults = append(state.Faults, fault.String())
	}
	if len(faults) > 0 {
		return state, true
	}
	for _, o := range manifest.Objects {
		same, err := f.applied(ctx, o)
		if err != nil {
			return state, false
		}
		if !same {
			state.Pending = append(state.Pending, strings.ToLower(o.GetKind())+"/"+o.GetName())
		}
	}
	return state, true
}

// applied tells whether the cluster has an object as a file has it.
func (f *Files) applied(ctx context.Context, o *unstructured.Unstructured) (bool, error) {
	if o.GetNamespace() == "" {
		o = o.DeepCopy()
		o.SetNamespace(f.Lab.Namespace)
	}
	live, err := f.Cluster().Get(ctx, o)
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, err
	}
	return live.GetDeletionTimestamp() == nil && covers(live.Object, encoded(o).Object), nil
}

// PutSolution implements Workspace.
func (f *Files) PutSolution(task string) ([]string, error) {
	names := f.solutionFiles(task)
	if len(names) == 0 {
		return nil, nil
	}
	kept, err := f.Space.Put("solution", names...)
	return append([]string{"In your workspace now: " + strings.Join(names, ", ") + "."}, keptNotes(kept)...), err
}

// Reset implements Workspace.
func (f *Files) Reset() ([]string, error) {
	kept, err := f.Space.Reset()
	return keptNotes(kept), err
}

func keptNotes(kept []string) []string {
	if len(kept) == 0 {
		return nil
	}
	return []string{"Yours is kept: " + strings.Join(kept, ", ") + "."}
}

// solutionFiles returns the names of the files that a task's solution applies.
func (f *Files) solutionFiles(task string) []string {
	i := slices.IndexFunc(f.Lab.Tasks, func(t lab.Task) bool { return t.ID == task })
	if i >= 0 && len(f.Lab.Tasks[i].Solution) > 0 {
		var names []string
		for _, step := range f.Lab.Tasks[i].Solution {
			names = append(names, step.Apply...)
		}
		return names
	}
	names, err := manifestNames(filepath.Join(f.Lab.Dir, "solution"))
	if err != nil {
		return nil
	}
	return names
}

// changed returns the manifests of the workspace that are not as start/ has them.
func (f *Files) changed() ([]string, error) {
	names, err := manifestNames(f.Space.Path)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool {
		mine, mineErr := os.ReadFile(filepath.Join(f.Space.Path, name))
		start, startErr := os.ReadFile(filepath.Join(f.Lab.Dir, "start", name))
		return mineErr == nil && startErr == nil && bytes.Equal(mine, start)
	}), nil
}

// manifestNames returns the names of the manifests in a directory; none if there is no directory.
func manifestNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() && isManifest(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// isManifest tells whether a file of a name is a manifest. What editors put beside it begins with a dot or ends differently.
func isManifest(name string) bool {
	ext := filepath.Ext(name)
	return (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(name, ".")
}
