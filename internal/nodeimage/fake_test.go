package nodeimage

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// reply is the result of a fake command: output, an error, or a function.
type reply struct {
	stdout string
	stderr string // if not empty, the command fails
	err    error
	do     func(ctx context.Context, c command) error
}

// fakeRunner replies to commands by the longest known prefix of "name arg arg ...". Other commands
// are not installed.
type fakeRunner struct {
	mu      sync.Mutex
	replies map[string]reply
	ran     []string
}

func (f *fakeRunner) run(ctx context.Context, c command) error {
	line := strings.Join(append([]string{filepath.Base(c.name)}, c.args...), " ")
	f.mu.Lock()
	f.ran = append(f.ran, line)
	best, found := "", false
	for prefix := range f.replies {
		if strings.HasPrefix(line, prefix) && len(prefix) >= len(best) {
			best, found = prefix, true
		}
	}
	answer := f.replies[best]
	f.mu.Unlock()
	switch {
	case !found:
		return &failure{command: line, err: &exec.Error{Name: c.name, Err: exec.ErrNotFound}}
	case answer.do != nil:
		return answer.do(ctx, c)
	case answer.err != nil:
		return answer.err
	case answer.stderr != "":
		return &failure{command: line, tail: answer.stderr, err: errors.New("exit status 1")}
	}
	if c.stdout != nil {
		_, err := c.stdout.Write([]byte(answer.stdout))
		return err
	}
	return nil
}

func (f *fakeRunner) count(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, line := range f.ran {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// recorder is a Progress that records all calls.
type recorder struct {
	outcomes []string // "name: outcome"
	notes    []string
	name     string
}

func (r *recorder) Begin(_, _ int, name string) { r.name = name }
func (r *recorder) Detail(string)               {}
func (r *recorder) End(outcome string)          { r.outcomes = append(r.outcomes, r.name+": "+outcome) }
func (r *recorder) Note(text string)            { r.notes = append(r.notes, text) }

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkout creates a source tree with all inputs of a recipe.
func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "go.mod"), `module example.test/lab
go 1.26.0
require (
	sigs.k8s.io/kind v0.33.0
	github.com/vishvananda/netlink v1.3.1
	github.com/spf13/cobra v1.10.2
)
`)
	writeFile(t, filepath.Join(root, "internal/nodeimage/podnet/route.go"),
		"package podnet\n\nimport _ \"github.com/vishvananda/netlink/nl\"\n")
	writeFile(t, filepath.Join(root, "internal/nodeimage/cmd/podnet/main.go"),
		"package main\n\nimport _ \"example.test/lab/internal/nodeimage/podnet\"\n")
	writeFile(t, filepath.Join(root, "internal/nodeimage/cmd/pause/main.go"), "package main\n")
	for _, c := range components() {
		if c.of == "" {
			continue
		}
		dir := filepath.Join(root, filepath.FromSlash(c.dir()))
		writeFile(t, filepath.Join(dir, "go.mod"), "module example.test/"+c.key+"\nrequire "+c.of+" "+versionFor(c.of)+"\n")
		writeFile(t, filepath.Join(dir, "go.sum"), "sum\n")
	}
	return root
}

// versionFor returns a version that is valid in go.mod for the path.
func versionFor(path string) string {
	switch {
	case strings.HasSuffix(path, "/v2"):
		return "v2.3.7"
	case strings.HasSuffix(path, "/v3"):
		return "v3.6.12"
	}
	return "v1.36.3"
}
