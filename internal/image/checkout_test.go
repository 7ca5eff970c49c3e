package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

func module(t *testing.T, dir, path string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("// a comment\nmodule "+path+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFindCheckoutSkipsOtherModules(t *testing.T) {
	root := t.TempDir()
	module(t, root, modulePath)
	nested := filepath.Join(root, "internal", "nested")
	module(t, nested, modulePath+"/internal/nested")
	got, err := FindCheckout(t.TempDir(), nested)
	if err != nil || got != root {
		t.Errorf("got %s, %v; want %s", got, err, root)
	}
}

func TestNoCheckoutErrorNamesDirectory(t *testing.T) {
	dir := t.TempDir()
	module(t, dir, "example.test/other")
	_, err := FindCheckout(dir)
	var none *NoCheckoutError
	if !errors.As(err, &none) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want a NoCheckoutError that names %s", err, dir)
	}
}

func TestBuildReportsFirstCompilerError(t *testing.T) {
	root := t.TempDir()
	module(t, root, modulePath)
	for _, p := range []string{"ingress-controller", "workload"} {
		dir := filepath.Join(root, "cmd", p)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		text := "package main\n\nfunc main() { undefinedIn_" + strings.ReplaceAll(p, "-", "_") + "() }\n"
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Build(t.Context(), Options{Root: root, CacheDir: filepath.Join(t.TempDir(), "cache")}, cluster.Quiet{})
	if err == nil || !strings.Contains(err.Error(), "main.go:3:15: undefined: undefinedIn_") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestBuildStopsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Build(ctx, Options{Root: t.TempDir(), CacheDir: filepath.Join(t.TempDir(), "cache")}, cluster.Quiet{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
