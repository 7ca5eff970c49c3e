package nodeimage

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestKubectlIsCompiledOnceAndAlone(t *testing.T) {
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
		t.Errorf("the second time: %s, %v after %d more commands", again, err, len(r.ran)-ran)
	}
	if _, there, err := ControlPlanePresent(o); there || err != nil {
		t.Errorf("a control plane came with it: %v, %v", there, err)
	}
}

func TestKubectlOfANodeImageIsTaken(t *testing.T) {
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
