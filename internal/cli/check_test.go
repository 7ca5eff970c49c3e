package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// student works on lab 1 of a small checkout in a fake cluster.
type student struct {
	*testing.T
	cluster *fakecluster.Cluster
	env     lab.Env
	session *lab.Session
}

func newStudent(t *testing.T) *student {
	t.Helper()
	labs, err := filepath.Abs("../lab/testdata/labs")
	if err != nil {
		t.Fatal(err)
	}
	checkout := t.TempDir()
	if err := errors.Join(os.CopyFS(filepath.Join(checkout, labsDir), os.DirFS(labs)),
		os.WriteFile(filepath.Join(checkout, "go.mod"), []byte("module github.com/ingresslab/ingresslab\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(checkout)
	c, http := fakecluster.New(t)
	env := lab.Env{Env: scenario.Env{Kube: c, HTTP: http}, Addresses: cluster.Addresses{HTTP: "127.0.0.1:8080", HTTPS: "127.0.0.1:8443"}}
	l, err := lab.Load("labs/01-host-routing")
	if err != nil {
		t.Fatal(err)
	}
	s := &student{T: t, cluster: c, env: env, session: lab.NewSession(l, env)}
	if _, err := s.session.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// checks runs check with arguments, and returns its exit code, standard output, and standard error.
func (s *student) checks(args ...string) (code int, out, errText string) {
	s.Helper()
	var printed, errs bytes.Buffer
	a := newApp(Streams{Out: &printed, Err: &errs})
	a.options = fakeOptions(a.providers, "exists")
	a.labEnv = func(*cluster.Cluster) (lab.Env, error) { return s.env, nil }
	code = a.run(s.Context(), append([]string{"check", "--cluster", "embedded"}, args...))
	return code, printed.String(), errs.String()
}

// wants fails the test unless check exits with code and its output has all texts.
func (s *student) wants(code int, args []string, texts ...string) {
	s.Helper()
	got, out, errText := s.checks(args...)
	if got != code {
		s.Errorf("check %s: exit code %d, want %d", strings.Join(args, " "), got, code)
	}
	for _, text := range texts {
		if !strings.Contains(out+errText, text) {
			s.Errorf("check %s: %q is missing in\n%s%s", strings.Join(args, " "), text, out, errText)
		}
	}
}

func TestCheckReportsProgress(t *testing.T) {
	s := newStudent(t)
	s.wants(ExitFailed, []string{"1"}, "✓ A host that no rule names is answered with 404",
		"○ cheddar.localhost shows the cheddar (cheddar)\n", "GET http://cheddar.localhost/ answers 200",
		"expected 200 OK", "observed 404 Not Found", "\n    hint  ", "more: --hint-level 2",
		"lab 1: 2 of 5 tasks done\n")
	s.wants(ExitOK, []string{"1", "no-other-host"}, "lab 1: 1 of 1 task done\n")
	s.wants(ExitFailed, []string{"host-routing", "stilton", "--hint-level", "3"}, "lab 1: 0 of 1 task done\n")
	if err := s.session.Solve(t.Context(), "cheddar"); err != nil {
		t.Fatal(err)
	}
	s.wants(ExitOK, []string{"1"}, "✓ wensleydale.localhost shows the wensleydale", "lab 1: 5 of 5 tasks done\n")
}

func TestCheckLimitsHintsToLevel(t *testing.T) {
	s := newStudent(t)
	var shown []int
	for _, level := range []string{"0", "1", "2", "3"} {
		_, out, _ := s.checks("1", "cheddar", "--hint-level", level)
		shown = append(shown, strings.Count(out, "\n"))
		hint, more := strings.Contains(out, "    hint  "), strings.Contains(out, "more: --hint-level")
		if hint != (level != "0") || more != (level == "1" || level == "2") {
			t.Errorf("--hint-level %s:\n%s", level, out)
		}
	}
	if shown[0] >= shown[1] || shown[1] >= shown[2] {
		t.Errorf("lines of the levels: %v", shown)
	}
}

func TestCheckReportsMissingObjects(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(s *student)
		texts []string
	}{
		"namespace": {func(s *student) {
			if err := s.cluster.DeleteNamespace(s.Context(), "lab-1", false); err != nil {
				s.Fatal(err)
			}
		}, []string{
			"✗ namespace lab-1 does not exist", "run `ingresslab start 1` to restore the start of the lab",
			"lab 1: 0 of 5 tasks done",
		}},
		"controller": {func(s *student) { s.cluster.LoseController(s.T) }, []string{
			"✗ the ingress controller is not running", "run `ingresslab up` to install the controller again",
		}},
		"API server": {func(s *student) {
			set, ok := s.cluster.Clientset().(*fake.Clientset)
			if !ok {
				s.Fatal("another clientset")
			}
			set.PrependReactor("*", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, errors.New("connection refused")
			})
		}, []string{"ingresslab: cannot reach the API server: connection refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStudent(t)
			test.spoil(s)
			s.wants(ExitBroken, []string{"1"}, test.texts...)
		})
	}
}

// A deleted object of start/ counts as unfinished work, because the student can restore it.
func TestCheckReportsDeletedObjectAsUnfinished(t *testing.T) {
	s := newStudent(t)
	l := s.session.Lab()
	for _, o := range l.Start {
		if o.GetKind() == "Service" && o.GetName() == "cheddar" {
			gone := o.DeepCopy()
			gone.SetNamespace("lab-1")
			if err := s.cluster.Delete(t.Context(), gone); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.wants(ExitFailed, []string{"1"}, "✗ service lab-1/cheddar from start/ does not exist",
		"run `ingresslab start 1` to restore the start of the lab")
}

func TestCheckWritesJSON(t *testing.T) {
	s := newStudent(t)
	code, out, _ := s.checks("1", "-o", "json")
	var result lab.ProgressReport
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if code != ExitFailed || result.Done || result.Name != "host-routing" || len(result.Tasks) != 5 || !result.Tasks[0].Done ||
		len(result.Tasks[2].Advice) == 0 {
		t.Errorf("exit code %d, %+v", code, result)
	}
}

func TestCheckRefusesInvalidArguments(t *testing.T) {
	s := newStudent(t)
	s.wants(ExitUsage, nil, "check needs a lab")
	s.wants(ExitUsage, []string{"1", "cheder"}, "cheddar")
	s.wants(ExitUsage, []string{"99"}, `no lab "99"`)
	s.wants(ExitUsage, []string{"1", "--hint-level", "4"}, "--hint-level: 4 is not between 0 and 3")
	s.wants(ExitUsage, []string{"1", "-o", "junit"}, "unknown output format")
}
