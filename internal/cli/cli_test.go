package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/klog/v2"
)

// TestClientGoLogsNothing makes client-go log with both of its functions while a command runs.
func TestClientGoLogsNothing(t *testing.T) {
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

// TestRenamedTableIsCurrent checks that each new name exists, and that each old name is refused.
func TestRenamedTableIsCurrent(t *testing.T) {
	for old, now := range renamed {
		root := newApp(Streams{Out: io.Discard, Err: io.Discard}).rootCommand()
		command, flag, hasFlag := strings.Cut(now, " --")
		c, rest, err := root.Find(strings.Fields(command))
		if err != nil || c.Hidden || len(rest) > 0 {
			t.Errorf("%s: command %q not found: %v", old, command, err)
			continue
		}
		if hasFlag && c.Flags().Lookup(flag) == nil {
			t.Errorf("%s: %s has no flag --%s", old, command, flag)
		}
		root.SetArgs(strings.Fields(old))
		if err := root.Execute(); exitCode(err) != ExitUsage || !strings.Contains(err.Error(), "`"+old+"` is now `"+now+"`") {
			t.Errorf("%s: %v", old, err)
		}
	}
}
