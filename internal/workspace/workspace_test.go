package workspace_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/workspace"
)

// example returns a lab with two files in start/ and one in solution/.
func example(t *testing.T) *lab.Lab {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "01-example")
	for name, content := range map[string]string{"start/web.yaml": "start\n", "start/more/notes.txt": "notes\n",
		"solution/web.yaml": "solved\n"} {
		put(t, filepath.Join(dir, name), content)
	}
	return &lab.Lab{Number: 1, Name: "example", Dir: dir}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// files returns the files of a directory as "name: content", sorted by name.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all = append(all, name+": "+strings.TrimSpace(string(content)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func expect(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func TestCreateCopiesMissingFilesOnly(t *testing.T) {
	root, l := t.TempDir(), example(t)
	w, err := workspace.Create(root, l)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, "workspace", "01-example"); w.Path != want {
		t.Errorf("the workspace is %s, want %s", w.Path, want)
	}
	expect(t, w.Path, "more/notes.txt: notes", "web.yaml: start")
	put(t, filepath.Join(w.Path, "web.yaml"), "mine\n")
	if err := os.Remove(filepath.Join(w.Path, "more", "notes.txt")); err != nil {
		t.Fatal(err)
	}
	if _, err := workspace.Create(root, l); err != nil {
		t.Fatal(err)
	}
	expect(t, w.Path, "more/notes.txt: notes", "web.yaml: mine")
}

func TestResetKeepsChangedFiles(t *testing.T) {
	root, l := t.TempDir(), example(t)
	w, err := workspace.Create(root, l)
	if err != nil {
		t.Fatal(err)
	}
	reset := func(want ...string) {
		t.Helper()
		kept, err := w.Reset()
		if err != nil || !slices.Equal(kept, want) {
			t.Errorf("kept %q, %v, want %q", kept, err, want)
		}
	}
	reset()
	put(t, filepath.Join(w.Path, "web.yaml"), "first\n")
	put(t, filepath.Join(w.Path, "own.yaml"), "own\n")
	reset("web.yaml.mine")
	put(t, filepath.Join(w.Path, "web.yaml"), "second\n")
	reset("web.yaml.mine2")
	put(t, filepath.Join(w.Path, "web.yaml"), "second\n")
	reset("web.yaml.mine2")
	expect(t, w.Path, "more/notes.txt: notes", "own.yaml: own", "web.yaml: start", "web.yaml.mine: first", "web.yaml.mine2: second")
}

func TestPutWritesTheSolution(t *testing.T) {
	w, err := workspace.Create(t.TempDir(), example(t))
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := w.Put("solution", "other.yaml"); err != nil || kept != nil {
		t.Errorf("kept %q, %v", kept, err)
	}
	expect(t, w.Path, "more/notes.txt: notes", "web.yaml: start")
	if kept, err := w.Put("solution"); err != nil || kept != nil {
		t.Errorf("kept %q of an unchanged file, %v", kept, err)
	}
	put(t, filepath.Join(w.Path, "web.yaml"), "mine\n")
	if kept, err := w.Put("solution", "web.yaml"); err != nil || !slices.Equal(kept, []string{"web.yaml.mine"}) {
		t.Errorf("kept %q, %v", kept, err)
	}
	expect(t, w.Path, "more/notes.txt: notes", "web.yaml: solved", "web.yaml.mine: mine")
}

func TestCreateErrorNamesWorkspace(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, "workspace"), "a file is in the way\n")
	if _, err := workspace.Create(root, example(t)); err == nil || !strings.Contains(err.Error(), filepath.Join(root, "workspace")) {
		t.Errorf("error %v", err)
	}
}
