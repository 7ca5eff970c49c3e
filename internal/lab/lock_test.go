package lab_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/adrg/xdg"

	"github.com/ingresslab/ingresslab/internal/filelock"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

func TestALabIsLockedInOneCluster(t *testing.T) {
	stateOfItsOwn(t)
	l := hostRouting(t)
	release, err := lab.Lock(l, "mine", "learn")
	if err != nil {
		t.Fatal(err)
	}
	_, err = lab.Lock(l, "mine", "lab")
	var busy *lab.BusyError
	if !errors.As(err, &busy) || !strings.HasPrefix(err.Error(), fmt.Sprintf(
		"lab host-routing in cluster mine is in use by `ingresslab learn` (process %d, since ", os.Getpid())) {
		t.Errorf("the second one is told: %v", err)
	}
	other, err := lab.Lock(l, "another", "lab")
	if err != nil {
		t.Fatalf("in another cluster: %v", err)
	}
	other()
	release()
	again, err := lab.Lock(l, "mine", "lab")
	if err != nil {
		t.Fatalf("after the first has let go: %v", err)
	}
	again()
	if _, err := os.Stat(busy.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock stays behind: %v", err)
	}
}

// TestALabThatSomebodyIsAtIsNotRemovedForAnother starts a lab while a student is at an exclusive one, and again when that is over.
func TestALabThatSomebodyIsAtIsNotRemovedForAnother(t *testing.T) {
	stateOfItsOwn(t)
	c, env := environment(t)
	env.Cluster = "mine"
	theirs := map[string]string{lab.Label: "default-backend", lab.LabelExclusive: "true"}
	if err := c.EnsureNamespace(t.Context(), "lab-3", theirs); err != nil {
		t.Fatal(err)
	}
	over := holdInAnotherProcess(t, filepath.Join(xdg.StateHome, "ingresslab", "labs", "mine_default-backend.lock"))
	_, err := lab.NewSession(hostRouting(t), env).Start(t.Context())
	var busy *lab.BusyError
	if !errors.As(err, &busy) || !strings.Contains(err.Error(), "lab host-routing can only begin when it is removed") {
		t.Errorf("it begins with %v", err)
	}
	if !slices.Contains(c.Namespaces(), "lab-3") {
		t.Error("the namespace of the lab that somebody is at is gone")
	}
	report, err := lab.Run(t.Context(), hostRouting(t), env)
	if report.Outcome != scenario.Broken || err == nil || !strings.HasPrefix(err.Error(), "lab 1 (host-routing): lab default-backend in cluster mine is in use by ") {
		t.Errorf("a run is %s: %v", report.Outcome, err)
	}
	over()
	if _, err := lab.NewSession(hostRouting(t), env).Start(t.Context()); err != nil {
		t.Errorf("when nobody is at the other one: %v", err)
	}
	if slices.Contains(c.Namespaces(), "lab-3") {
		t.Error("the namespace of the exclusive lab is still there")
	}
}

// TestALabOfThisProcessIsRemovedForAnother is what the prover does, which holds the locks of all that it proves.
func TestALabOfThisProcessIsRemovedForAnother(t *testing.T) {
	stateOfItsOwn(t)
	c, env := environment(t)
	env.Cluster = "mine"
	exclusive := hostRouting(t)
	exclusive.Name, exclusive.Namespace, exclusive.Exclusive = "default-backend", "lab-3", true
	release, err := lab.Lock(exclusive, "mine", "prove")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	begun(t, exclusive, env)
	if _, err := lab.NewSession(hostRouting(t), env).Start(t.Context()); err != nil || slices.Contains(c.Namespaces(), "lab-3") {
		t.Errorf("it begins with %v, and there are %v", err, c.Namespaces())
	}
}

// holdInAnotherProcess takes a lock as another process would: this package does not know that it is held.
func holdInAnotherProcess(t *testing.T, file string) (release func()) {
	t.Helper()
	release, err := filelock.Acquire(t.Context(), file, func() { t.Error("somebody holds " + file) })
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// stateOfItsOwn gives the test a state directory, where the locks are.
func stateOfItsOwn(t *testing.T) {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	xdg.Reload()
	t.Cleanup(xdg.Reload)
}
