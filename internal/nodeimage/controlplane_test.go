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

// laptop is a machine that can compile, and nothing else: no root, no Docker, no Debian.
func laptop() *host {
	return &host{
		system: "linux",
		find: func(program string) (string, error) {
			if program == "go" {
				return "/usr/bin/go", nil
			}
			return "", errors.New("not found")
		},
		free: func(string) (uint64, error) { return 100 * gibibyte, nil },
	}
}

// toolchain is a go command that makes whatever it is asked for.
func toolchain() *fakeRunner {
	return &fakeRunner{replies: map[string]reply{
		"go list": {stdout: "2026-07-22T18:07:38Z"},
		"go build": {do: func(_ context.Context, c command) error {
			out := c.args[slices.Index(c.args, "-o")+1]
			files := []string{out}
			if strings.HasSuffix(out, "/") {
				files = nil
				for _, arg := range c.args[slices.Index(c.args, "-o")+2:] {
					files = append(files, filepath.Join(out, filepath.Base(arg)))
				}
			}
			for _, file := range files {
				if err := os.WriteFile(file, []byte("I am "+filepath.Base(file)), 0o700); err != nil {
					return err
				}
			}
			return nil
		}},
	}}
}

func compileOptions(t *testing.T, r *fakeRunner) Options {
	t.Helper()
	t.Setenv(kubeBinVariable, "")
	return Options{Source: checkout(t), CacheDir: t.TempDir(), Progress: &recorder{}, runner: r, machine: laptop()}
}

func TestControlPlaneIsCompiledOnce(t *testing.T) {
	r := toolchain()
	o := compileOptions(t, r)
	if _, there, err := ControlPlanePresent(o); there || err != nil {
		t.Errorf("an empty cache has one: %v, %v", there, err)
	}
	p, err := ControlPlane(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		if content, err := os.ReadFile(filepath.Join(p.Dir, program)); err != nil || string(content) != "I am "+program {
			t.Errorf("%s: %q, %v", program, content, err)
		}
	}
	if p.KubernetesVersion != "v1.36.3" {
		t.Errorf("version = %q", p.KubernetesVersion)
	}
	ran := len(r.ran)
	again, err := ControlPlane(t.Context(), o)
	present, there, presentErr := ControlPlanePresent(o)
	if again != p || err != nil || present != p || !there || presentErr != nil {
		t.Errorf("first %v, then %v, %v and %v, %v, %v", p, again, err, present, there, presentErr)
	}
	if len(r.ran) != ran {
		t.Errorf("the second call ran %q", r.ran[ran:])
	}
}

// The node image takes the same results, and compiles only what they lack.
func TestNodeImageSharesTheControlPlane(t *testing.T) {
	r := toolchain()
	o := compileOptions(t, r)
	if _, err := ControlPlane(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o = o.complete()
	b := build{recipe: mustRead(t, o.Source), pipeline: pipeline{dir: o.CacheDir, progress: o.Progress}, runner: r}
	var compiling []stage
	for _, s := range b.stages() {
		if s.key == controlPlaneKey || s.key == kubernetesKey || s.key == etcdKey {
			compiling = append(compiling, s)
		}
	}
	progress := &recorder{}
	b.pipeline.progress = progress
	if err := b.pipeline.run(t.Context(), compiling); err != nil {
		t.Fatal(err)
	}
	want := []string{"Kubernetes control plane: done before", "Kubernetes node: done", "etcd: done before"}
	if !slices.Equal(progress.outcomes, want) {
		t.Errorf("progress says %q, want %q", progress.outcomes, want)
	}
	if _, there, err := ControlPlanePresent(o); !there || err != nil {
		t.Errorf("building the image took the programs away: %v", err)
	}
}

func TestControlPlaneGoesOnAfterAnInterruption(t *testing.T) {
	r := toolchain()
	o := compileOptions(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	compile := r.replies["go build"]
	r.replies["go build"] = reply{do: func(ctx context.Context, c command) error {
		if strings.HasSuffix(c.dir, "etcd") {
			cancel()
			return context.Cause(ctx)
		}
		return compile.do(ctx, c)
	}}
	if _, err := ControlPlane(ctx, o); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "goes on from here") {
		t.Errorf("err = %v", err)
	}
	r.replies["go build"] = compile
	progress := &recorder{}
	o.Progress = progress
	if _, err := ControlPlane(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	want := []string{"Kubernetes control plane: done before", "etcd: done", "all four programs: done"}
	if !slices.Equal(progress.outcomes, want) {
		t.Errorf("progress says %q, want %q", progress.outcomes, want)
	}
}

func TestMachinesThatCannotCompile(t *testing.T) {
	cases := map[string]struct {
		change func(*host)
		want   string
	}{
		"macOS": {func(h *host) { h.system = "darwin" }, "darwin"},
		"no Go": {func(h *host) { h.find = func(string) (string, error) { return "", errors.New("not found") } }, "install Go"},
		"no disk space": {
			func(h *host) { h.free = func(string) (uint64, error) { return gibibyte, nil } }, "1024 MiB free",
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			o := compileOptions(t, toolchain())
			test.change(o.machine)
			_, err := ControlPlane(t.Context(), o)
			if !errors.Is(err, ErrCannotCompile) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("err = %v, want one that says %q", err, test.want)
			}
		})
	}
}

// readyDirectory is a directory with programs that answer --version.
func readyDirectory(t *testing.T) (dir string, r *fakeRunner) {
	t.Helper()
	dir = t.TempDir()
	r = &fakeRunner{replies: map[string]reply{"etcd --version": {stdout: "etcd Version: 3.6.12"}}}
	for _, program := range append(controlPlanePrograms(), etcdProgram) {
		if err := os.WriteFile(filepath.Join(dir, program), nil, 0o700); err != nil {
			t.Fatal(err)
		}
		if program != etcdProgram {
			r.replies[program+" --version"] = reply{stdout: "Kubernetes v1.35.1"}
		}
	}
	return dir, r
}

func TestReadyProgramsAreTaken(t *testing.T) {
	dir, r := readyDirectory(t)
	o := compileOptions(t, r)
	t.Setenv(kubeBinVariable, dir)
	o.Source = ""                                                                        // No checkout is needed for them,
	o.machine.find = func(string) (string, error) { return "", errors.New("not found") } // and no Go.
	want := Programs{Dir: dir, KubernetesVersion: "v1.35.1"}
	if p, err := ControlPlane(t.Context(), o); p != want || err != nil {
		t.Errorf("got %v, %v; want %v", p, err, want)
	}
	if p, there, err := ControlPlanePresent(o); p.Dir != dir || !there || err != nil {
		t.Errorf("present: %v, %v, %v", p, there, err)
	}
}

func TestReadyProgramsThatAreNot(t *testing.T) {
	cases := map[string]struct {
		spoil func(t *testing.T, dir string, r *fakeRunner)
		want  []string
	}{
		"two are missing": {func(t *testing.T, dir string, _ *fakeRunner) {
			t.Helper()
			for _, program := range []string{"etcd", "kube-scheduler"} {
				if err := os.Remove(filepath.Join(dir, program)); err != nil {
					t.Fatal(err)
				}
			}
		}, []string{"no etcd", "no kube-scheduler"}},
		"one is not executable": {func(t *testing.T, dir string, _ *fakeRunner) {
			t.Helper()
			if err := os.Chmod(filepath.Join(dir, "etcd"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"etcd is no program"}},
		"one does not run": {func(_ *testing.T, _ string, r *fakeRunner) {
			r.replies["kube-scheduler"] = reply{err: errors.New("exec format error")}
			delete(r.replies, "kube-scheduler --version")
		}, []string{"exec format error"}},
		"one is something else": {func(_ *testing.T, _ string, r *fakeRunner) {
			r.replies["kube-apiserver --version"] = reply{stdout: "hello"}
		}, []string{"kube-apiserver", `"hello"`}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			dir, r := readyDirectory(t)
			o := compileOptions(t, r)
			o.KubeBin = dir
			test.spoil(t, dir, r)
			_, err := ControlPlane(t.Context(), o)
			for _, want := range append(test.want, kubeBinVariable, dir) {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("err = %v, want one that says %q", err, want)
				}
			}
		})
	}
}
