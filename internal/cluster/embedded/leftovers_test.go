//go:build e2e && linux

package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// assertNothingLeft fails for each trace of the clusters in a state directory: files, mounts,
// processes, and ports. It waits because the kernel and the supervisor need a moment to end things.
func assertNothingLeft(t *testing.T, stateDir string, ports ...int) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(50 * time.Millisecond) {
		left = append(append(filesOf(stateDir), processesOf(stateDir)...), mountsOf(t, stateDir)...)
		for _, port := range ports {
			l, err := cluster.Listen(t.Context(), port)
			if err != nil {
				left = append(left, err.Error())
				continue
			}
			_ = l.Close()
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			break
		}
	}
	for _, what := range left {
		t.Errorf("left: %s", what)
	}
}

func filesOf(stateDir string) []string {
	entries, _ := os.ReadDir(stateDir) // it may be missing
	var files []string
	for _, e := range entries {
		files = append(files, e.Name())
	}
	return files
}

func mountsOf(t *testing.T, stateDir string) []string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var mounts []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, stateDir) {
			mounts = append(mounts, "mount "+line)
		}
	}
	return mounts
}

// processesOf returns every supervisor of a cluster in the state directory, and its children. Their
// working directories or mounts are in it. Zombies don't count.
func processesOf(stateDir string) []string {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var found []string
	for _, dir := range dirs {
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if len(cmdline) > 0 && strings.Contains(string(cmdline), "bring-up") {
			continue // the process that the test kills
		}
		cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
		mounts, _ := os.ReadFile(filepath.Join(dir, "mountinfo"))
		if strings.HasPrefix(cwd, stateDir) || strings.Contains(string(cmdline), stateDir) || strings.Contains(string(mounts), stateDir) {
			found = append(found, "process "+filepath.Base(dir)+" "+strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return found
}
