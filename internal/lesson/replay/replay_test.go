package replay

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson"
)

func TestIsReadOnly(t *testing.T) {
	for command, want := range map[string]bool{
		"curl -si http://web.localhost:8080/":                         true,
		"curl -s http://web.localhost:8080/ | head -1":                true,
		"for i in 1 2 3; do curl -s http://web.localhost:8080/; done": true,
		"kubectl get pods":                                          true,
		"kubectl -n ingresslab-system get pods":                     true,
		"kubectl rollout status deployment web":                     true,
		"kubectl exec net-test -- net-test get http://web/":         true,
		"ingresslab explain http://web.localhost/":                  true,
		"openssl s_client -connect 127.0.0.1:8443 </dev/null":       true,
		"kubectl apply -f ingress.yaml":                             false,
		"kubectl rollout restart deployment web":                    false,
		"kubectl -n lab-1 scale deployment web --replicas=0":        false,
		"kubectl delete pod web && kubectl get pods":                false,
		"kubectl create secret generic x --from-file=auth":          false,
		"curl -X POST http://web.localhost:8080/":                   false,
		"curl http://web.localhost:8080/crash":                      false,
		"while true; do curl -s http://web.localhost:8080/; done &": false,
		"echo hello":             false,
		"sed -i s/a/b/ web.yaml": false,
	} {
		if got := isReadOnly(command); got != want {
			t.Errorf("isReadOnly(%q) = %v", command, got)
		}
	}
}

func newTestShell(t *testing.T) *shell {
	t.Helper()
	s, err := newShell(t.TempDir(), t.TempDir(), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

func TestShellKeepsDirectoryAndVariables(t *testing.T) {
	s := newTestShell(t)
	for _, c := range []struct{ command, output string }{
		{"mkdir deep && cd deep", ""},
		{"POD=$(echo 'a b'; echo c); export KEPT=yes", ""},
		{`echo "$POD" >&2; bash -c 'echo $KEPT'; basename "$PWD"`, "a b\nc\nyes\ndeep\n"},
		{"ls nowhere 2>/dev/null; echo $?", "2\n"},
		{"cat <<END\n$KEPT\nEND", "yes\n"},
		{"read x; echo \"nothing to read: [$x]\"", "nothing to read: []\n"},
	} {
		output, _, err := s.run(t.Context(), c.command, time.Minute)
		if err != nil || output != c.output {
			t.Errorf("%s: %q, %v; want %q", c.command, output, err, c.output)
		}
	}
	if _, code, err := s.run(t.Context(), "exit 7", time.Minute); code != 7 || err != nil {
		t.Errorf("exit 7: exit code %d, %v", code, err)
	}
	if _, code, err := s.run(t.Context(), "kubecontrol get pods", time.Minute); code != codeNotFound || err != nil {
		t.Errorf("missing program: exit code %d, %v", code, err)
	}
}

func TestCommandIsKilledAfterLimit(t *testing.T) {
	s := newTestShell(t)
	output, _, err := s.run(t.Context(), "echo begun; tail -f /dev/null", 300*time.Millisecond)
	if !errors.Is(err, errTimeout) || output != "begun\n" {
		t.Errorf("%q, %v", output, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.run(ctx, "tail -f /dev/null", time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestBackgroundProcessDoesNotBlock(t *testing.T) {
	s := newTestShell(t)
	if output, _, err := s.run(t.Context(), "tail -f /dev/null & echo on", time.Minute); err != nil || output != "on\n" {
		t.Errorf("%q, %v", output, err)
	}
	if len(s.groups) != 1 {
		t.Errorf("%d process groups to kill, want 1", len(s.groups))
	}
	// A group that has ended must not be killed later, because another process can get its ID.
	if _, _, err := s.run(t.Context(), "true", time.Minute); err != nil || len(s.groups) != 1 {
		t.Errorf("%d process groups to kill after a command without background processes, %v", len(s.groups), err)
	}
}

// The kubeconfig does not exist, so prepare fails halfway.
func TestClearRemovesPartialPreparation(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r := &replayer{lab: &lab.Lab{Dir: "../../lab/testdata/labs/01-host-routing"}, env: Env{Cluster: &cluster.Cluster{Kubeconfig: "nowhere"}}}
	err := r.prepare()
	left, listErr := os.ReadDir(os.Getenv("TMPDIR"))
	if err == nil || listErr != nil || len(left) != 1 {
		t.Fatalf("error %v; the directory has %v, %v", err, left, listErr)
	}
	if err := r.clear(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) != 0 {
		t.Errorf("the directory has %v, %v", left, err)
	}
}

// write must refuse a lesson with a new line, and accept the unchanged lesson.
func TestWriteRefusesChangedLesson(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "01-host-routing")
	if err := os.CopyFS(dir, os.DirFS("../../lab/testdata/labs/01-host-routing")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, lab.LessonFile)
	put := func(change func(string) string) *lab.Lab {
		t.Helper()
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, []byte(change(string(data))), 0o600)
		}
		l, loadErr := lab.Load(dir)
		if err != nil || loadErr != nil {
			t.Fatal(err, loadErr)
		}
		return l
	}
	l := put(func(text string) string { return text + "\n```console\n$ echo new\nold\n```\n" })
	text, _ := l.Lesson()
	blocks := text.Pages[0].Blocks
	results := []Result{{Command: blocks[len(blocks)-1].Commands[0], Got: "new\n"}}
	put(func(text string) string { return strings.Replace(text, "Write three", "First,\nwrite three", 1) })
	if changed, _, err := write(l, results); changed || err == nil || !strings.Contains(err.Error(), "changed during the replay") {
		t.Errorf("write reports %t for a changed lesson, %v", changed, err)
	}
	put(func(text string) string { return strings.Replace(text, "First,\nwrite three", "Write three", 1) })
	if changed, faults, err := write(l, results); !changed || err != nil || len(faults) > 0 {
		t.Errorf("write reports %t, %v, %v", changed, faults, err)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.HasSuffix(string(data), "$ echo new\nnew\n```\n") {
		t.Errorf("the lesson is\n%s", data)
	}
}

const recorded = `---
title: Web
---

# Lab

## Look
<!-- tasks: go -->

` + "```console" + `
$ curl -s http://web.localhost:8080/ \
    -H 'A: b'
old

$ kubectl get pods
NAME                   READY
web-5d4f8b6c7d-x2k9q   1/1
` + "```" + `

- In a list:

  ` + "```console" + `
  $ echo new
  ` + "```" + `
`

func TestRecordChangesOnlyOutputsThatDiffer(t *testing.T) {
	l, faults := lesson.Parse("lesson.md", recorded[len("---\ntitle: Web\n---\n"):], 4)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	var results []Result
	for _, b := range l.Pages[0].Blocks {
		for i, c := range b.Commands {
			got := []string{"brand\nnew\n", "NAME  READY\nweb-7c6d5b4f8d-9xk2f 1/1\n"}[i]
			if b.Indent != "" {
				got = "new\n"
			}
			results = append(results, Result{Command: c, Indent: b.Indent, Got: got, Matches: lesson.Match(c.Expected(), got)})
		}
	}
	text, faults := updated("lesson.md", recorded, results)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(strings.Replace(recorded, "\nold\n", "\nbrand\nnew\n", 1), "  $ echo new\n", "  $ echo new\n  new\n", 1)
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
}

func TestInvalidOutputIsFault(t *testing.T) {
	results := []Result{
		{Command: lesson.Command{Text: "cat script", Line: 3, OutputLine: 4}, Got: "$ ls\n"},
		{Command: lesson.Command{Text: "kubectl port-forward", Line: 8, OutputLine: 9}, Problem: "the command was killed"},
	}
	text, faults := updated("lesson.md", "as it was", results)
	want := "lesson.md:3: `cat script`: a console block cannot contain its output, because of the line \"$ ls\"\n" +
		"lesson.md:8: `kubectl port-forward`: the command was killed"
	if text != "as it was" || faults.Error() != want {
		t.Errorf("%q, %v", text, faults)
	}
}

func TestAsRecordedHidesMachine(t *testing.T) {
	t.Setenv("HOME", "/home/student")
	r := &replayer{
		lab: &lab.Lab{Dir: "labs/01-host-routing"}, dir: "/var/tmp/x", kube: "/var/tmp/x/kubeconfig",
		env: Env{
			Root: "/home/student/src/lab", Cluster: &cluster.Cluster{Name: "mine", Provider: "kind"},
			Env: lab.Env{Addresses: cluster.Addresses{HTTP: "127.0.0.1:34567"}},
		},
	}
	for in, want := range map[string]string{
		"http://web.localhost:34567/":                       "http://web.localhost:8080/",
		"/var/tmp/x/workspace/01-host-routing/ingress.yaml": "~/ingresslab/workspace/01-host-routing/ingress.yaml",
		"/home/student/src/lab/bin":                         "~/ingresslab/bin",
		"/home/student/.kube":                               "~/.kube",
		"mine-worker2 mine-control-plane mine-workers":      "ingresslab-worker2 ingresslab-control-plane mine-workers",
		"ingresslab down --name mine":                       "ingresslab down",
	} {
		if got := r.asRecorded(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestKubeconfigSetsNamespace(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	config := "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- {name: a, context: {cluster: a, user: a}}\n"
	if err := os.WriteFile(from, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := kubeconfig(from, to, "lab-1"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(to)
	if err != nil || !strings.Contains(string(data), "namespace: lab-1") {
		t.Errorf("%s, %v", data, err)
	}
}
