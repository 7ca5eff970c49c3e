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

func TestLockIsPerCluster(t *testing.T) {
	useStateDir(t)
	l := hostRouting(t)
	release, err := lab.Lock(l, "mine", "learn")
	if err != nil {
		t.Fatal(err)
	}
	_, err = lab.Lock(l, "mine", "lab")
	var busy *lab.BusyError
	if !errors.As(err, &busy) || !strings.HasPrefix(err.Error(), fmt.Sprintf(
		"lab host-routing in cluster mine is in use by `ingresslab learn` (process %d, since ", os.Getpid())) {
		t.Errorf("second lock: %v", err)
	}
	other, err := lab.Lock(l, "another", "lab")
	if err != nil {
		t.Fatalf("lock in another cluster: %v", err)
	}
	other()
	release()
	again, err := lab.Lock(l, "mine", "lab")
	if err != nil {
		t.Fatalf("lock after release: %v", err)
	}
	again()
	if _, err := os.Stat(busy.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock file remains: %v", err)
	}
}

// A lab starts while another process uses an exclusive lab, and again after that process ends.
func TestStartKeepsExclusiveLabInUse(t *testing.T) {
	useStateDir(t)
	c, env := environment(t)
	env.Cluster = "mine"
	theirs := map[string]string{lab.Label: "default-backend", lab.LabelExclusive: "true"}
	if err := c.EnsureNamespace(t.Context(), "lab-3", theirs); err != nil {
		t.Fatal(err)
	}
	over := holdInAnotherProcess(t, filepath.Join(xdg.StateHome, "ingresslab", "labs", "mine_default-backend.lock"))
	_, err := lab.NewSession(hostRouting(t), env).Start(t.Context())
	var busy *lab.BusyError
	if !errors.As(err, &busy) || !strings.Contains(err.Error(), "lab host-routing must remove it before it can start") {
		t.Errorf("Start returns %v", err)
	}
	if !slices.Contains(c.Namespaces(), "lab-3") {
		t.Error("the namespace of the lab in use was removed")
	}
	report, err := lab.Run(t.Context(), hostRouting(t), env)
	if report.Outcome != scenario.Broken || err == nil ||
		!strings.HasPrefix(err.Error(), "lab 1 (host-routing): lab default-backend in cluster mine is in use by ") {
		t.Errorf("Run returns %s: %v", report.Outcome, err)
	}
	over()
	if _, err := lab.NewSession(hostRouting(t), env).Start(t.Context()); err != nil {
		t.Errorf("after the other process ended: %v", err)
	}
	if slices.Contains(c.Namespaces(), "lab-3") {
		t.Error("the namespace of the exclusive lab still exists")
	}
}

// Package labtest holds the locks of all labs that it tests.
func TestStartRemovesExclusiveLabOfSameProcess(t *testing.T) {
	useStateDir(t)
	c, env := environment(t)
	env.Cluster = "mine"
	exclusive := hostRouting(t)
	exclusive.Name, exclusive.Namespace, exclusive.Exclusive = "default-backend", "lab-3", true
	release, err := lab.Lock(exclusive, "mine", "dev test")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	begun(t, exclusive, env)
	if _, err := lab.NewSession(hostRouting(t), env).Start(t.Context()); err != nil || slices.Contains(c.Namespaces(), "lab-3") {
		t.Errorf("Start returns %v; namespaces %v", err, c.Namespaces())
	}
}

// holdInAnotherProcess acquires a lock without this package, like another process.
func holdInAnotherProcess(t *testing.T, file string) (release func()) {
	t.Helper()
	release, err := filelock.Acquire(t.Context(), file, func() { t.Error(file + " is locked already") })
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// useStateDir sets a temporary state directory for the locks.
func useStateDir(t *testing.T) {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	xdg.Reload()
	t.Cleanup(xdg.Reload)
}
