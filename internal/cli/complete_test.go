package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// completions returns the completions of the last argument without their descriptions.
func completions(t *testing.T, args ...string) []string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := newApp(Streams{Out: &out, Err: &errs}).run(t.Context(), append([]string{cobra.ShellCompRequestCmd}, args...)); code != ExitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if !strings.HasPrefix(name, ":") { // the directive
			names = append(names, name)
		}
	}
	return names
}

func TestCompletion(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "config")
	const contexts = "apiVersion: v1\nkind: Config\ncontexts:\n- {name: work, context: {cluster: a}}\n- {name: home, context: {cluster: b}}\n"
	if err := os.WriteFile(kubeconfig, []byte(contexts), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args       []string
		want, none []string
	}{
		"labs by number and name": {args: []string{"lab", ""}, want: []string{"1", "host-routing", "10", "canary"}},
		"several labs":            {args: []string{"lab", "1", ""}, want: []string{"2", "tls"}},
		"one lab to learn":        {args: []string{"learn", ""}, want: []string{"3", "default-backend"}},
		"no second lab to learn":  {args: []string{"learn", "1", ""}, none: []string{"2"}},
		"a lab to check":          {args: []string{"check", ""}, want: []string{"5", "scaling"}},
		"tasks of a lab to check": {
			args: []string{"check", "1", ""}, want: []string{"cheddar", "stilton"}, none: []string{"1", "host-routing"},
		},
		"nothing after a task":             {args: []string{"check", "1", "cheddar", ""}, none: []string{"cheddar"}},
		"scenarios":                        {args: []string{"run", ""}, want: []string{"host-routing", "conformance-tls"}, none: []string{"1"}},
		"labs and scenarios to test":       {args: []string{"dev", "test", ""}, want: []string{"1", "host-routing", "annotations-cors"}},
		"contexts":                         {args: []string{"up", "--kubeconfig", kubeconfig, "--context", ""}, want: []string{"home", "work"}},
		"cluster providers":                {args: []string{"up", "--cluster", ""}, want: []string{"kind", "embedded", "existing"}},
		"no contexts without a kubeconfig": {args: []string{"up", "--kubeconfig", kubeconfig + "-no", "--context", ""}, none: []string{"home"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := completions(t, test.args...)
			for _, want := range test.want {
				if !slices.Contains(got, want) {
					t.Errorf("%q is missing in %q", want, got)
				}
			}
			for _, none := range test.none {
				if slices.Contains(got, none) {
					t.Errorf("%q must not be completed", none)
				}
			}
		})
	}
}
