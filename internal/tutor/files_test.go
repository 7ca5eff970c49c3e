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

// cluster returns objects by namespace/name, or the error down.
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

// files returns the Files of a lab with door.yaml in start/, and their cluster.
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

func TestSeeComparesFileWithCluster(t *testing.T) {
	f, c := files(t)
	see := func() FileState {
		t.Helper()
		states := f.See(t.Context(), []string{"door.yaml"})
		if len(states) != 1 {
			t.Fatalf("See returned %v, want one state", states)
		}
		return states[0]
	}
	if s := see(); !slices.Equal(s.Pending, []string{"configmap/door"}) {
		t.Errorf("object not in the cluster: %+v", s)
	}
	c.objects["lab-7/door"] = &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"lock": "open"},
		"metadata": map[string]any{"name": "door", "namespace": "lab-7", "uid": "1"},
	}}
	if s := see(); len(s.Pending)+len(s.Errors) > 0 || s.Gone {
		t.Errorf("object applied: %+v", s)
	}
	write(t, filepath.Join(f.Space.Path, "door.yaml"), doorYAML+"lock: [\n")
	if s := see(); len(s.Errors) == 0 || !strings.HasPrefix(s.Errors[0], "door.yaml:") {
		t.Errorf("invalid YAML: %+v", s)
	}
	if err := os.Remove(filepath.Join(f.Space.Path, "door.yaml")); err != nil {
		t.Fatal(err)
	}
	if s := see(); !s.Gone {
		t.Errorf("file removed: %+v", s)
	}
}

func TestSeeSkipsFilesWhileClusterIsDown(t *testing.T) {
	f, c := files(t)
	c.down = errors.New("connection refused")
	if states := f.See(t.Context(), []string{"door.yaml"}); len(states) > 0 {
		t.Errorf("See returned %+v, want nothing", states)
	}
}

func TestPutSolutionKeepsChangedFile(t *testing.T) {
	f, _ := files(t)
	write(t, filepath.Join(f.Space.Path, "door.yaml"), "mine\n")
	notes, err := f.PutSolution("front")
	want := []string{"Added to your workspace: door.yaml.", "Your version is kept: door.yaml.mine."}
	if err != nil || !slices.Equal(notes, want) {
		t.Errorf("notes %q, %v; want %q", notes, err, want)
	}
	if data, err := os.ReadFile(filepath.Join(f.Space.Path, "door.yaml.mine")); err != nil || string(data) != "mine\n" {
		t.Errorf("kept %q, %v", data, err)
	}
}

func TestWatchSendsChangedFilesThenSavedFiles(t *testing.T) {
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
	write(t, filepath.Join(f.Space.Path, ".door.yaml.swp"), "temporary file of an editor")
	write(t, filepath.Join(f.Space.Path, "door.yaml"), doorYAML+"# changed\n")
	if saved := <-names; !slices.Equal(saved, []string{"door.yaml"}) {
		t.Errorf("saved %q, want door.yaml alone", saved)
	}
	cancel()
	for range names { // ends only if Watch closes the channel
	}
}

func TestCoversComparesFieldsOfFileOnly(t *testing.T) {
	type object = map[string]any
	tests := map[string]struct {
		live, file any
		want       bool
	}{
		"added by the API server": {object{"spec": object{"replicas": int64(2), "paused": false}},
			object{"spec": object{"replicas": int64(2)}}, true},
		"another value":                {object{"replicas": int64(1)}, object{"replicas": int64(2)}, false},
		"missing field":                {object{}, object{"replicas": int64(2)}, false},
		"the same quantity":            {object{"cpu": "500m"}, object{"cpu": "0.5"}, true},
		"another quantity":             {object{"cpu": "500m"}, object{"cpu": "0.6"}, false},
		"number written as a fraction": {object{"port": int64(80)}, object{"port": float64(80)}, true},
		"empty string left out":        {object{}, object{"clusterName": ""}, true},
		"empty object left out":        {object{}, object{"emptyDir": object{}}, true},
		"null matches everything":      {object{"a": "b"}, object{"a": nil}, true},
		"longer list":                  {object{"hosts": []any{"a", "b"}}, object{"hosts": []any{"a"}}, false},
		"list in another order":        {object{"hosts": []any{"a", "b"}}, object{"hosts": []any{"b", "a"}}, false},
		"empty list left out":          {object{}, object{"hosts": []any{}}, true},
		"status is ignored":            {object{"spec": object{}}, object{"spec": object{}, "status": object{"replicas": int64(1)}}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := covers(test.live, test.file); got != test.want {
				t.Errorf("covers(%v, %v) is %t", test.live, test.file, got)
			}
		})
	}
}

func TestSecretStringDataMatchesStoredData(t *testing.T) {
	file := &unstructured.Unstructured{Object: map[string]any{
		"kind": "Secret", "data": map[string]any{"a": "MQ=="}, "stringData": map[string]any{"b": "2"},
	}}
	stored := map[string]any{"kind": "Secret", "data": map[string]any{"a": "MQ==", "b": "Mg=="}}
	if !covers(stored, withEncodedData(file).Object) {
		t.Errorf("%v does not cover %v", stored, withEncodedData(file).Object)
	}
	if _, ok := file.Object["stringData"]; !ok {
		t.Error("withEncodedData changed its argument")
	}
	stored["data"] = map[string]any{"a": "MQ==", "b": "Mw=="}
	if covers(stored, withEncodedData(file).Object) {
		t.Error("covers accepts another value")
	}
}
