package tutor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/workspace"
)

// cluster has the objects of its map, by namespace/name, and fails with down if that is not nil.
type cluster struct {
	objects map[string]*unstructured.Unstructured
	down    error
}

func (c *cluster) Get(_ context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if found := c.objects[o.GetNamespace()+"/"+o.GetName()]; c.down == nil && found != nil {
		return found, nil
	}
	if c.down != nil {
		return nil, c.down
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, o.GetName())
}

const doorYAML = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: door}\ndata: {lock: open}\n"

// files is the workspace of a lab with door.yaml in start/, and the cluster beside it.
func files(t *testing.T) (*Files, *cluster) {
	t.Helper()
	root := t.TempDir()
	l := &lab.Lab{Dir: filepath.Join(root, "labs", "07-doors")}
	l.Namespace = "lab-7"
	write(t, filepath.Join(l.Dir, "start", "door.yaml"), doorYAML)
	write(t, filepath.Join(l.Dir, "solution", "door.yaml"), strings.ReplaceAll(doorYAML, "open", "shut"))
	space, err := workspace.Create(root, l)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{objects: map[string]*unstructured.Unstructured{}}
	return &Files{Space: space, Lab: l, Cluster: func() Getter { return c }}, c
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFileIsComparedWithTheCluster(t *testing.T) {
	f, c := files(t)
	see := func() FileState {
		t.Helper()
		states := f.See(t.Context(), []string{"door.yaml"})
		if len(states) != 1 {
			t.Fatalf("seen %v", states)
		}
		return states[0]
	}
	if s := see(); !slices.Equal(s.Pending, []string{"configmap/door"}) {
		t.Errorf("not in the cluster: %+v", s)
	}
	c.objects["lab-7/door"] = &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"lock": "open"},
		"metadata": map[string]any{"name": "door", "namespace": "lab-7", "uid": "1"},
	}}
	if s := see(); len(s.Pending)+len(s.Faults) > 0 || s.Gone {
		t.Errorf("as the cluster has it: %+v", s)
	}
	write(t, filepath.Join(f.Space.Path, "door.yaml"), doorYAML+"lock: [\n")
	if s := see(); len(s.Faults) == 0 || !strings.HasPrefix(s.Faults[0], "door.yaml:") {
		t.Errorf("not YAML: %+v", s)
	}
	if err := os.Remove(filepath.Join(f.Space.Path, "door.yaml")); err != nil {
		t.Fatal(err)
	}
	if s := see(); !s.Gone {
		t.Errorf("removed: %+v", s)
	}
}

func TestNothingIsSaidOfAFileWhileTheClusterIsDown(t *testing.T) {
	f, c := files(t)
	c.down = errors.New("connection refused")
	if states := f.See(t.Context(), []string{"door.yaml"}); len(states) > 0 {
		t.Errorf("said %+v", states)
	}
}

func TestTheSolutionKeepsWhatTheStudentHasWritten(t *testing.T) {
	f, _ := files(t)
	write(t, filepath.Join(f.Space.Path, "door.yaml"), "mine\n")
	notes, err := f.PutSolution("front")
	if want := []string{"In your workspace now: door.yaml.", "Yours is kept: door.yaml.mine."}; err != nil || !slices.Equal(notes, want) {
		t.Errorf("said %q, %v; want %q", notes, err, want)
	}
	if data, err := os.ReadFile(filepath.Join(f.Space.Path, "door.yaml.mine")); err != nil || string(data) != "mine\n" {
		t.Errorf("kept %q, %v", data, err)
	}
}

func TestWatchTellsFirstWhatIsNotAsAtTheStartAndThenWhatIsSaved(t *testing.T) {
	f, _ := files(t)
	write(t, filepath.Join(f.Space.Path, "new.yaml"), doorYAML)
	ctx, cancel := context.WithCancel(t.Context())
	names, err := f.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if first := <-names; !slices.Equal(first, []string{"new.yaml"}) {
		t.Errorf("first %q, want new.yaml alone", first)
	}
	write(t, filepath.Join(f.Space.Path, ".door.yaml.swp"), "an editor's own")
	write(t, filepath.Join(f.Space.Path, "door.yaml"), doorYAML+"# changed\n")
	if saved := <-names; !slices.Equal(saved, []string{"door.yaml"}) {
		t.Errorf("saved %q, want door.yaml alone", saved)
	}
	cancel()
	for range names { // it is closed, or this test does not end
	}
}
