package nodeimage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// laptop is a machine with Go, but without root, Docker and Debian.
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

// toolchain is a go command that creates all requested files.
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
		t.Errorf("found in an empty cache: %v, %v", there, err)
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

// The build of a node image uses the results of the control plane.
func TestNodeImageReusesControlPlane(t *testing.T) {
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
	want := []string{"Kubernetes control plane: cached", "Kubernetes node: done", "etcd: cached"}
	if !slices.Equal(progress.outcomes, want) {
		t.Errorf("outcomes are %q, want %q", progress.outcomes, want)
	}
	if _, there, err := ControlPlanePresent(o); !there || err != nil {
		t.Errorf("the build of the image removed the programs: %v", err)
	}
}

func TestControlPlaneResumesAfterInterruption(t *testing.T) {
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
	if _, err := ControlPlane(ctx, o); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "again to resume") {
		t.Errorf("err = %v", err)
	}
	r.replies["go build"] = compile
	progress := &recorder{}
	o.Progress = progress
	if _, err := ControlPlane(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	want := []string{"Kubernetes control plane: cached", "etcd: done", "all four programs: done"}
	if !slices.Equal(progress.outcomes, want) {
		t.Errorf("outcomes are %q, want %q", progress.outcomes, want)
	}
}

func TestControlPlaneReportsMissingRequirement(t *testing.T) {
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
				t.Errorf("err = %v, want %q", err, test.want)
			}
		})
	}
}

// readyDirectory returns a directory with programs that support --version.
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

func TestControlPlaneUsesKubeBin(t *testing.T) {
	dir, r := readyDirectory(t)
	o := compileOptions(t, r)
	t.Setenv(kubeBinVariable, dir)
	o.Source = ""                                                                        // needs no checkout
	o.machine.find = func(string) (string, error) { return "", errors.New("not found") } // and no Go
	want := Programs{Dir: dir, KubernetesVersion: "v1.35.1"}
	if p, err := ControlPlane(t.Context(), o); p != want || err != nil {
		t.Errorf("got %v, %v; want %v", p, err, want)
	}
	if p, there, err := ControlPlanePresent(o); p.Dir != dir || !there || err != nil {
		t.Errorf("present: %v, %v, %v", p, there, err)
	}
}

func TestControlPlaneRejectsInvalidKubeBin(t *testing.T) {
	cases := map[string]struct {
		spoil func(t *testing.T, dir string, r *fakeRunner)
		want  []string
	}{
		"two programs missing": {func(t *testing.T, dir string, _ *fakeRunner) {
			t.Helper()
			for _, program := range []string{"etcd", "kube-scheduler"} {
				if err := os.Remove(filepath.Join(dir, program)); err != nil {
					t.Fatal(err)
				}
			}
		}, []string{"etcd not found", "kube-scheduler not found"}},
		"program not executable": {func(t *testing.T, dir string, _ *fakeRunner) {
			t.Helper()
			if err := os.Chmod(filepath.Join(dir, "etcd"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"etcd is not an executable file"}},
		"program does not run": {func(_ *testing.T, _ string, r *fakeRunner) {
			r.replies["kube-scheduler"] = reply{err: errors.New("exec format error")}
			delete(r.replies, "kube-scheduler --version")
		}, []string{"exec format error"}},
		"unexpected version output": {func(_ *testing.T, _ string, r *fakeRunner) {
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
					t.Errorf("err = %v, want %q", err, want)
				}
			}
		})
	}
}

func TestKubectlIsCompiledOnce(t *testing.T) {
	r := toolchain()
	o := compileOptions(t, r)
	program, err := Kubectl(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(program); err != nil || string(content) != "I am kubectl" {
		t.Errorf("%s: %q, %v", program, content, err)
	}
	ran := len(r.ran)
	if again, err := Kubectl(t.Context(), o); again != program || err != nil || len(r.ran) != ran {
		t.Errorf("second call: %s, %v after %d more commands", again, err, len(r.ran)-ran)
	}
	if _, there, err := ControlPlanePresent(o); there || err != nil {
		t.Errorf("it also compiled a control plane: %v, %v", there, err)
	}
}

func TestKubectlOfNodeImageIsUsed(t *testing.T) {
	r := toolchain()
	o := compileOptions(t, r)
	recipe, err := readRecipe(o.Source, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	dir := pipeline{dir: o.CacheDir}.path(stage{key: kubernetesKey, digest: recipe.digests[kubernetesKey]})
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "kubectl")
	if err := os.WriteFile(own, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if program, err := Kubectl(t.Context(), o); program != own || err != nil || len(r.ran) != 0 {
		t.Errorf("%s, %v after %d commands, want %s", program, err, len(r.ran), own)
	}
}
