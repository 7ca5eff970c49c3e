package tutor

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/workspace"
)

// Getter reads objects of a cluster; *kube.Client implements it.
type Getter interface {
	Get(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error)
}

// Files compares a workspace with the cluster.
type Files struct {
	Space   *workspace.Workspace
	Lab     *lab.Lab
	Cluster func() Getter // Cluster returns a client for the current cluster.
}

// See implements Workspace. It leaves out a file if a request to the cluster fails.
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
		state.Errors = []string{fmt.Sprintf("cannot read %s: %v", name, err)}
		return state, true
	}
	manifest, faults := scenario.ReadManifest(name, data)
	for _, fault := range faults {
		state.Errors = append(state.Errors, fault.String())
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

// applied reports whether the cluster's object matches the file's object.
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
	return live.GetDeletionTimestamp() == nil && covers(live.Object, withEncodedData(o).Object), nil
}

// PutSolution implements Workspace.
func (f *Files) PutSolution(task string) ([]string, error) {
	names := f.solutionFiles(task)
	if len(names) == 0 {
		return nil, nil
	}
	kept, err := f.Space.Put("solution", names...)
	return append([]string{"Added to your workspace: " + strings.Join(names, ", ") + "."}, keptNotes(kept)...), err
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
	return []string{"Your version is kept: " + strings.Join(kept, ", ") + "."}
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
	names, _ := manifestNames(filepath.Join(f.Lab.Dir, "solution")) // names is nil after an error
	return names
}

// changed returns the manifests of the workspace that differ from start/.
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

// manifestNames returns the names of the manifests in a directory, which need not exist.
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

// isManifest reports whether a name is that of a manifest and not of an editor's temporary file.
func isManifest(name string) bool {
	ext := filepath.Ext(name)
	return (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(name, ".")
}

const (
	// settleTime without writes means that a save is complete, because editors write several times.
	settleTime = 150 * time.Millisecond
	// rewatchEvery is the interval of adding the directory again, in case it was recreated.
	rewatchEvery = 2 * time.Second
)

// Watch sends the names of changed manifests, first those that differ from start/, until ctx ends.
func (f *Files) Watch(ctx context.Context) (<-chan []string, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", f.Space.Path, err)
	}
	err = watcher.Add(f.Space.Path)
	var first []string
	if err == nil {
		first, err = f.changed()
	}
	if err != nil {
		_ = watcher.Close()
		return nil, fmt.Errorf("watch %s: %w", f.Space.Path, err)
	}
	out := make(chan []string)
	go func() {
		defer close(out)
		defer func() { _ = watcher.Close() }()
		f.watch(ctx, watcher, first, out)
	}()
	return out, nil
}

func (f *Files) watch(ctx context.Context, watcher *fsnotify.Watcher, first []string, out chan<- []string) {
	touched := map[string]bool{}
	for _, name := range first {
		touched[name] = true
	}
	settled := time.NewTimer(0)
	defer settled.Stop()
	rewatch := time.NewTicker(rewatchEvery)
	defer rewatch.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, open := <-watcher.Events:
			if !open {
				return
			}
			if name := filepath.Base(e.Name); isManifest(name) && !e.Has(fsnotify.Chmod) {
				touched[name] = true
				settled.Reset(settleTime)
			}
		case err := <-watcher.Errors:
			_ = err // an overflow loses events, but the next save causes new ones
		case <-rewatch.C:
			_ = watcher.Add(f.Space.Path) // has no effect if the directory is watched already or missing
		case <-settled.C:
			names := slices.Sorted(maps.Keys(touched))
			clear(touched)
			if len(names) == 0 {
				continue
			}
			select {
			case out <- names:
			case <-ctx.Done():
				return
			}
		}
	}
}

// withEncodedData returns an object as the API server stores it: the stringData of a Secret moves
// to data
// (https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/).
func withEncodedData(o *unstructured.Unstructured) *unstructured.Unstructured {
	texts, found, err := unstructured.NestedStringMap(o.Object, "stringData")
	if o.GetKind() != "Secret" || !found || err != nil {
		return o
	}
	o = o.DeepCopy()
	delete(o.Object, "stringData")
	data, _, err := unstructured.NestedStringMap(o.Object, "data")
	if err != nil || data == nil {
		data = map[string]string{}
	}
	for key, value := range texts {
		data[key] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	_ = unstructured.SetNestedStringMap(o.Object, data, "data") // fails only if data is not a map
	return o
}

// covers reports whether live has all that file sets. Extra fields are allowed, but no list items.
func covers(live, file any) bool {
	switch file := file.(type) {
	case nil:
		return true
	case map[string]any:
		object, ok := live.(map[string]any)
		if !ok {
			return len(file) == 0 && live == nil
		}
		for field, value := range file {
			if field != "status" && field != "creationTimestamp" && !covers(object[field], value) {
				return false
			}
		}
		return true
	case []any:
		list, ok := live.([]any)
		if len(list) != len(file) || !ok && live != nil {
			return false
		}
		for i := range file {
			if !covers(list[i], file[i]) {
				return false
			}
		}
		return true
	}
	return sameScalar(live, file)
}

// sameScalar compares two scalars as text and as quantities: 0.5 equals 500m.
func sameScalar(live, file any) bool {
	a, b := fmt.Sprint(live), fmt.Sprint(file)
	if a == b || file == "" && live == nil {
		return true
	}
	p, err := resource.ParseQuantity(a)
	if err != nil {
		return false
	}
	q, err := resource.ParseQuantity(b)
	return err == nil && p.Cmp(q) == 0
}
