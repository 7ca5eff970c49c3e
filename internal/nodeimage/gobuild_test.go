package nodeimage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var oneBinary = component{
	key: "etcd", name: "etcd", of: "go.etcd.io/etcd/server/v3", packages: []string{"tool"}, binaries: []string{"etcd"},
}

// compiler is a go command that prints lines and creates the files.
func compiler(lines, files []string, failed error) reply {
	return reply{do: func(_ context.Context, c command) error {
		for _, line := range lines {
			c.line(line)
		}
		if failed != nil {
			return &failure{command: "go build", tail: lines[len(lines)-1], err: failed}
		}
		out := c.args[slices.Index(c.args, "-o")+1]
		if !strings.HasSuffix(out, "/") {
			out = filepath.Dir(out)
		}
		for _, file := range files {
			if err := os.WriteFile(filepath.Join(out, file), nil, 0o600); err != nil {
				return err
			}
		}
		return nil
	}}
}

func TestGoBuildReportsPackages(t *testing.T) {
	r := &fakeRunner{replies: map[string]reply{"go build": compiler([]string{
		"go: downloading go.uber.org/zap v1.27.0", "internal/abi", "go.etcd.io/etcd/server/v3/embed",
	}, []string{"etcd"}, nil)}}
	var details []string
	build := goBuild{component: oneBinary, source: "/src", version: "v3.6.12", arch: "amd64", runner: r}
	if err := build.run(t.Context(), t.TempDir(), func(text string) { details = append(details, text) }); err != nil {
		t.Fatal(err)
	}
	want := []string{"downloading go.uber.org/zap v1.27.0", "1 packages, internal/abi", "2 packages, go.etcd.io/etcd/server/v3/embed"}
	if !slices.Equal(details, want) {
		t.Errorf("details = %q, want %q", details, want)
	}
}

func TestGoBuildOverridesUserSettings(t *testing.T) {
	var got command
	r := &fakeRunner{replies: map[string]reply{"go build": {do: func(_ context.Context, c command) error {
		got = c
		return nil
	}}}}
	build := goBuild{component: oneBinary, source: "/src", arch: "arm64", runner: r}
	err := build.run(t.Context(), t.TempDir(), func(string) {})
	if err == nil || !strings.Contains(err.Error(), "did not create etcd") {
		t.Errorf("missing binary: error is %v", err)
	}
	for _, want := range []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64", "GOWORK=off"} {
		if !slices.Contains(got.env, want) {
			t.Errorf("no %s in %q", want, got.env)
		}
	}
	if strings.Contains(strings.Join(got.env, " "), "-mod=mod") {
		t.Errorf("go build can change go.mod: %q", got.env)
	}
	if got.dir != "/src/internal/nodeimage/modules/etcd" {
		t.Errorf("built in %s", got.dir)
	}
}

// Compilers run in parallel, so import paths can follow the message.
func TestGoBuildErrorHasMessage(t *testing.T) {
	broken := errors.New("exit status 1")
	r := &fakeRunner{replies: map[string]reply{"go build": compiler([]string{
		"k8s.io/api/core/v1", "# k8s.io/kubernetes/pkg/x", "pkg/x/x.go:3:4: undefined: y", "k8s.io/api/batch/v1",
	}, nil, broken)}}
	err := goBuild{component: oneBinary, runner: r}.run(t.Context(), t.TempDir(), func(string) {})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "undefined: y") || strings.Contains(err.Error(), "batch") {
		t.Errorf("err = %v", err)
	}
}

func TestCompilerGCDependsOnMemory(t *testing.T) {
	for _, test := range []struct {
		name   string
		gogc   string
		memory uint64
		want   []string
	}{
		{"16 GiB", "", 16 << 30, []string{"GOGC=400"}},
		{"4 GiB", "", 4 << 30, nil},
		{"unknown memory", "", 0, nil},
		{"GOGC of the user", "50", 16 << 30, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := compilerGC(func(string) string { return test.gogc }, test.memory)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
