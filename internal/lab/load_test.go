package lab_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

var update = flag.Bool("update", false, "update the golden files")

// TestLintGolden compares the errors in the labs of testdata/load/*.txtar. The flag -update writes
// them.
func TestLintGolden(t *testing.T) {
	goldens, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil || len(goldens) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, golden := range goldens {
		golden, err := filepath.Abs(golden)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(golden), func(t *testing.T) {
			archive, err := txtar.ParseFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			t.Chdir(t.TempDir())
			want := extract(t, archive)
			faults, _, err := lab.Lint([]string{"."})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(faults) > 0 {
				got = faults.Error() + "\n"
			}
			if *update {
				archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "faults" })
				archive.Files = append(archive.Files, txtar.File{Name: "faults", Data: []byte(got)})
				if err := os.WriteFile(golden, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("errors:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// extract writes the files of the archive and returns the expected errors.
func extract(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	want := ""
	for _, f := range archive.Files {
		if f.Name == "faults" {
			want = string(f.Data)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return want
}

func TestLoad(t *testing.T) {
	l, err := lab.Load("testdata/labs/01-host-routing")
	if err != nil {
		t.Fatal(err)
	}
	if l.Number != 1 || l.Name != "host-routing" || l.Namespace != "lab-1" || len(l.Start) != 7 || len(l.Solution) != 3 || len(l.Tasks) < 3 {
		t.Errorf("lab %d %q in %q: %d objects at the start, %d in the solution, %d tasks",
			l.Number, l.Name, l.Namespace, len(l.Start), len(l.Solution), len(l.Tasks))
	}
	if !strings.HasPrefix(strings.TrimSpace(l.Text), "# Lab 1") {
		t.Errorf("the text starts with %.40q", l.Text)
	}
	var faults strictyaml.Diagnostics
	dir := filepath.Join(t.TempDir(), "nameless")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, lab.LessonFile), []byte("# no front matter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Load(dir); !errors.As(err, &faults) || len(faults) != 2 {
		t.Errorf("lab without name and front matter: %v", err)
	}
}

func TestFind(t *testing.T) {
	const dir, own = "testdata/labs", "testdata/labs/01-host-routing"
	for _, argument := range []string{"1", "01", "host-routing", "01-host-routing", own} {
		if got, err := lab.Find(dir, argument); err != nil || got != own {
			t.Errorf("Find(%q) = %q, %v", argument, got, err)
		}
	}
	for argument, want := range map[string]string{
		"host-ruoting": `no lab "host-ruoting" (did you mean "host-routing"?)`,
		"host":         `no lab "host" (did you mean "host-routing"?)`,
		"99":           `no lab "99"; the labs are: 1 host-routing`,
		"":             `no lab ""; the labs are: 1 host-routing`,
	} {
		_, err := lab.Find(dir, argument)
		var unknown *lab.UnknownError
		if !errors.As(err, &unknown) || err.Error() != want {
			t.Errorf("Find(%q): %v, want %s", argument, err, want)
		}
	}
}

func TestLintRejectsEmptyPath(t *testing.T) {
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "nowhere")} {
		if _, _, err := lab.Lint([]string{path}); err == nil {
			t.Errorf("Lint(%s) returns no error", path)
		}
	}
}

func TestLintFindsConflictsBetweenPaths(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/load/hosts.txtar")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	extract(t, archive)
	faults, _, err := lab.Lint([]string{"01-example", "02-other"})
	if err != nil || len(faults) != 1 || !strings.Contains(faults.Error(), "web.localhost") {
		t.Errorf("two labs with one host: %v, %v", faults, err)
	}
	if faults, _, err := lab.Lint([]string{"01-example", "./01-example"}); err != nil || len(faults) != 0 {
		t.Errorf("the same lab twice: %v, %v", faults, err)
	}
}

// The checkout is in a directory with special characters of a shell in its name.
func TestDirectoryNameWithSpecialCharacters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[work] *", "labs")
	if err := os.CopyFS(dir, os.DirFS("testdata/labs")); err != nil {
		t.Fatal(err)
	}
	found, err := lab.Find(dir, "1")
	if err != nil {
		t.Fatal(err)
	}
	if l, err := lab.Load(found); err != nil || len(l.Start) != 7 || len(l.Solution) != 3 {
		t.Errorf("lab %+v, %v", l, err)
	}
	if entries, err := lab.List(filepath.Join(dir, "nowhere")); err != nil || entries != nil {
		t.Errorf("missing directory: %v, %v", entries, err)
	}
}
