package routing_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ingresslab/ingresslab/controller/routing"
)

var update = flag.Bool("update", false, "write what the code does into testdata instead of comparing; read the diff before you commit it")

// golden is one file of testdata. Its comment states a rule. The section objects.yaml is the input.
// The sections table.txt and problems.txt and the right-hand sides of requests.txt are the expected
// output. An optional section flags.txt has the controller's flags.
type golden struct {
	path     string
	archive  *txtar.Archive
	snapshot routing.Snapshot
	options  routing.Options
}

func goldens(t testing.TB) []golden {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("testdata has no goldens")
	}
	var list []golden
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		g := golden{path: path, archive: archive}
		g.snapshot = parseObjects(t, path, g.section("objects.yaml"))
		g.options = parseFlags(t, path, g.section("flags.txt"))
		list = append(list, g)
	}
	return list
}

func (g golden) name() string { return strings.TrimSuffix(filepath.Base(g.path), ".txtar") }

func (g golden) section(name string) string {
	for _, f := range g.archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// requests returns the left-hand sides of requests.txt.
func (g golden) requests() []string { return g.lefts("requests.txt") }

// lefts returns the left-hand sides of a section.
func (g golden) lefts(section string) []string {
	var list []string
	for line := range strings.Lines(g.section(section)) {
		left, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " -> ")
		list = append(list, left)
	}
	return list
}

// got renders the output for the golden's objects and requests.
func (g golden) got(t testing.TB) *txtar.Archive {
	table, problems := routing.Build(g.snapshot, g.options, nil)
	out := &txtar.Archive{Comment: g.archive.Comment}
	for _, f := range g.archive.Files {
		switch f.Name {
		case "table.txt":
			f.Data = []byte(renderTable(table))
		case "problems.txt":
			f.Data = []byte(renderProblems(problems))
		case "requests.txt":
			f.Data = []byte(renderRequests(t, table, g.requests()))
		case "certificates.txt":
			f.Data = []byte(renderCertificates(table, g.lefts("certificates.txt")))
		case "explain.txt":
			f.Data = []byte(renderExplain(t, table, g.section("explain.txt")))
		}
		out.Files = append(out.Files, f)
	}
	return out
}

func TestGoldens(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name(), func(t *testing.T) {
			checkForm(t, g)
			got := txtar.Format(g.got(t))
			if *update {
				if err := os.WriteFile(g.path, got, 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(g.path)
			if err != nil {
				t.Fatal(err)
			}
			if d := diff.Diff(g.path, want, "what the code does", got); d != nil {
				t.Errorf("%s\nif the change is meant: go test -run TestGoldens -update", d)
			}
		})
	}
}

// checkForm checks that a golden is readable and tests something.
func checkForm(t *testing.T, g golden) {
	t.Helper()
	if !bytes.HasPrefix(g.archive.Comment, []byte("# ")) {
		t.Error("a golden opens with a line that says the rule")
	}
	for _, name := range []string{"objects.yaml", "table.txt", "problems.txt", "requests.txt"} {
		found := false
		for _, f := range g.archive.Files {
			found = found || f.Name == name
		}
		if !found {
			t.Errorf("section %s is missing", name)
		}
	}
}
