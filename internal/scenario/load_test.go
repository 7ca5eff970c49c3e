package scenario_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// TestLoadGolden reads testdata/load/*.txtar: the files of a scenario in, what is wrong with them out. Run it with
// -update to update the diagnostics.
func TestLoadGolden(t *testing.T) {
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
			faults, err := scenario.Lint("example")
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
				t.Errorf("faults:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// extract writes the files of the archive into the directory example, and returns the faults that
// it expects.
func extract(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	want := ""
	if err := os.Mkdir("example", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name == "faults" {
			want = string(f.Data)
			continue
		}
		if err := os.WriteFile(filepath.Join("example", f.Name), f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return want
}

func TestLoadReturnsDiagnosticsAsError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, scenario.FileName), []byte("kind: Scenery\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var faults strictyaml.Diagnostics
	if _, err := scenario.Load(dir); !errors.As(err, &faults) || len(faults) < 4 {
		t.Errorf("a file with faults: %v", err)
	}
	if _, err := scenario.Load(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestFind(t *testing.T) {
	const dir = "../../scenarios"
	own := filepath.Join(dir, "host-routing", scenario.FileName)
	for argument, want := range map[string][]string{
		"host-routing": {own}, "host-*": {own}, filepath.Dir(own): {own}, own: {own},
	} {
		if got, err := scenario.Find(dir, argument); err != nil || !slices.Equal(got, want) {
			t.Errorf("Find(%q) = %v, %v; want %v", argument, got, err, want)
		}
	}
	for argument, want := range map[string]string{
		"host-ruoting": `no scenario "host-ruoting" (did you mean "host-routing"?)`,
		"kubernetes":   `no scenario "kubernetes"; the scenarios are `,
		"testdata":     `no scenario "testdata`,
		"[":            `no scenario "["`,
	} {
		_, err := scenario.Find(dir, argument)
		var unknown *scenario.UnknownError
		if !errors.As(err, &unknown) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Find(%q): %v, want %s", argument, err, want)
		}
	}
}
