package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// smallScenarios writes and loads scenarios with two steps.
func smallScenarios(t *testing.T, names ...string) []*scenario.Scenario {
	t.Helper()
	root := t.TempDir()
	var list []*scenario.Scenario
	for _, name := range names {
		text := "apiVersion: ingresslab.dev/v1\nkind: Scenario\nmetadata: {name: " + name + ", title: An example}\nsteps:\n" +
			"- expect: {url: http://" + name + ".test/, status: 404}\n- expect: {url: http://" + name + ".test/a, status: 404}\n"
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name, scenario.FileName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := scenario.Load(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

func TestParallelScenariosReportInOnePiece(t *testing.T) {
	c, http := fakecluster.New(t)
	var out bytes.Buffer
	m := many{app: newApp(Streams{Out: io.Discard, Err: io.Discard}), out: &out, parallel: 3}
	list := smallScenarios(t, "one", "two", "three", "four")
	reports, code := m.scenarios(t.Context(), list, scenario.Env{Kube: c, HTTP: http})
	if code != ExitOK || len(reports) != 4 {
		t.Fatalf("exit code %d, %d reports:\n%s", code, len(reports), out.String())
	}
	for i, s := range list {
		name := s.Metadata.Name
		if reports[i].Scenario != name {
			t.Errorf("report %d is for %s, want %s", i, reports[i].Scenario, name)
		}
		whole := regexp.MustCompile(strings.ReplaceAll(
			`(?m)^scenario NAME: .*\n  namespace lab-NAME-.*\n(  ✓ GET http://NAME\..*\n){2}✓ NAME passed`, "NAME", name))
		if !whole.MatchString(out.String()) {
			t.Errorf("the report of %s is not in one piece:\n%s", name, out.String())
		}
	}
}

// After a failure of the API server, no further scenario starts.
func TestBrokenLabEndsRun(t *testing.T) {
	c, http := fakecluster.New(t)
	c.NamespaceErr = errors.New("connection refused")
	m := many{app: newApp(Streams{Out: io.Discard, Err: io.Discard}), out: io.Discard, parallel: 1}
	reports, code := m.scenarios(t.Context(), smallScenarios(t, "one", "two"), scenario.Env{Kube: c, HTTP: http})
	if code != ExitBroken || reports[0].Outcome != scenario.Broken || reports[1].Reason != "not started: the lab is broken" {
		t.Errorf("exit code %d, %s, then %s", code, reports[0].Outcome, reports[1].Reason)
	}
}

// The test writes to a device that is always full, and to a file that exists.
func TestUnwrittenReportGoesToStandardOutput(t *testing.T) {
	var out, errs bytes.Buffer
	a := newApp(Streams{Out: &out, Err: &errs})
	write := func(w io.Writer) error { _, err := io.WriteString(w, "the report"); return err }
	if _, err := os.Stat("/dev/full"); err == nil {
		file, err := openReport("/dev/full")
		if err != nil {
			t.Fatal(err)
		}
		err = a.report(outputJSON, file, ExitOK, write)
		const want = "--output-file /dev/full: no space left on device"
		if err == nil || err.Error() != want || exitCode(err) != ExitBroken || out.String() != "the report" {
			t.Errorf("got error %v and output %q, want error %s", err, out.String(), want)
		}
	}
	path := filepath.Join(t.TempDir(), "new", "report.json")
	for range 2 {
		file, err := openReport(path)
		if err != nil {
			t.Fatal(err)
		}
		err = a.report(outputJSON, file, ExitFailed, write)
		file.discard()
		if exitCode(err) != ExitFailed {
			t.Error(err)
		}
	}
	// A failed write keeps the previous report.
	file, err := openReport(path)
	if err != nil {
		t.Fatal(err)
	}
	err = a.report(outputJSON, file, ExitOK, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half of")
		return &os.PathError{Op: "write", Path: file.part.Name(), Err: syscall.ENOSPC}
	})
	file.discard()
	want := "--output-file " + path + ": no space left on device; free some disk space and try again"
	if errorText(err) != want || exitCode(err) != ExitBroken {
		t.Errorf("%q, want %q", errorText(err), want)
	}
	unfinished, err := openReport(path)
	if err != nil {
		t.Fatal(err)
	}
	unfinished.discard()
	entries, _ := os.ReadDir(filepath.Dir(path))
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "the report" || len(entries) != 1 {
		t.Errorf("%q, %v, %d files", got, err, len(entries))
	}
	if !strings.Contains(errs.String(), "printing the report to standard output instead") {
		t.Errorf("standard error: %q", errs.String())
	}
}
