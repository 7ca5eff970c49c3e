package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/klog/v2"
)

// TestClientGoSaysNothing has client-go log in both of its ways while a command runs.
func TestClientGoSaysNothing(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stderr
	os.Stderr = file
	t.Cleanup(func() { os.Stderr = before })
	silenceClient()
	klog.ErrorS(errors.New("context deadline exceeded"), "Unexpected error when reading response body")
	klog.FromContext(context.Background()).Error(nil, "Unexpected error when reading response body")
	klog.Warning("spec.SessionAffinity is ignored for headless services")
	klog.Flush()
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file.Name()); err != nil || len(text) > 0 {
		t.Errorf("it writes %q, %v", text, err)
	}
}
