package scenario_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

const partSteps = `
- apply: web.yaml
- name: key
  certificate: {client: ann, secret: clients}
- name: first visit
  expect: {url: http://web.test/, status: 200, session: browser}
- name: page
  expect: {url: http://web.test/, status: 200}
- apply: deployment.yaml
- wait: {ready: true}
- name: another key
  certificate: {client: bob}
- name: second visit
  expect: {url: http://web.test/, status: 200, session: browser}
`

// TestRunFromAndUntilStep stops after a step, and goes on in the same namespace.
func TestRunFromAndUntilStep(t *testing.T) {
	s := load(t, strings.ReplaceAll(partSteps, ", session: browser", ""))
	c, http := fakecluster.New(t)
	env := scenario.Env{Kube: c, HTTP: http}
	run := func(from, until string) *scenario.Report {
		env.From, env.Until = from, until
		report, err := scenario.Run(t.Context(), s, env)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	first := run("", "page")
	if got := outcomes(first); got != "passed passed passed passed skipped skipped skipped skipped" || !first.Kept || first.Next != 5 {
		t.Errorf("until page: %s, kept %v, next %d", got, first.Kept, first.Next)
	}
	second := run("5", "5")
	// The certificate is made again, because a later step has one of the same authority.
	if got := outcomes(second); got != "skipped passed skipped skipped passed skipped skipped skipped" ||
		second.Namespace != first.Namespace || second.Seed != first.Seed || second.Next != 6 {
		t.Errorf("step 5: %s in %s (before: %s), next %d", got, second.Namespace, first.Namespace, second.Next)
	}
	var text strings.Builder
	scenario.NewPretty(&text, scenario.Style{Flags: " --name x"}).ScenarioDone(*second)
	if want := "continue with: ingresslab run example --name x --run-id " + first.Run + " --from-step 6\n"; !strings.Contains(text.String(),
		want) {
		t.Errorf("lacks %q:\n%s", want, text.String())
	}
	third := run("6", "")
	if got := outcomes(third); got != "skipped passed skipped skipped skipped passed passed passed" || third.Kept || len(c.Namespaces()) > 0 {
		t.Errorf("from 6: %s, namespaces left %v", got, c.Namespaces())
	}
}

func TestInvalidPartsAreRejected(t *testing.T) {
	s := load(t, partSteps)
	for name, tc := range map[string]struct{ from, until, want string }{
		"no such number":  {"", "9", "--until-step 9: the steps are 1 to 8"},
		"no such name":    {"", "pag", `--until-step: no step has the name "pag"; did you mean "page"?`},
		"nothing alike":   {"wait for it", "", `--from-step: no step has the name "wait for it"; use a name or a number from 1 to 8`},
		"the wrong order": {"5", "page", "step 5 (--from-step) comes after step 4 (--until-step)"},
		"a session": {
			"5", "", "--from-step 5: step 8 continues session browser of step 3, whose cookies were not saved; use --from-step 3 or an earlier step",
		},
	} {
		err := scenario.CheckPart(s, scenario.Env{From: tc.from, Until: tc.until})
		if err == nil || err.Error() != "scenario example: "+tc.want {
			t.Errorf("%s: %v\nwant %s", name, err, tc.want)
		}
	}
	if err := scenario.CheckPart(s, scenario.Env{From: "2", Until: "page"}); err != nil {
		t.Errorf("a part that can be run: %v", err)
	}
}

func TestOnlyKeptRunContinues(t *testing.T) {
	s := load(t, partSteps)
	c, http := fakecluster.New(t)
	refused := func(env scenario.Env, want string) {
		t.Helper()
		env.Kube, env.HTTP = c, http
		report, err := scenario.Run(t.Context(), s, env)
		var part *scenario.PartError
		if !errors.As(err, &part) || err.Error() != "scenario example: "+want || len(report.Steps) > 0 {
			t.Errorf("%v, %d steps\nwant %s", err, len(report.Steps), want)
		}
	}
	refused(scenario.Env{From: "2"}, "--from-step: the cluster has no kept run of this scenario; use --until-step STEP or --keep first")
	refused(scenario.Env{From: "2", Run: "r1"}, "--run-id r1: the cluster has no such run of this scenario")
	if err := c.EnsureNamespace(t.Context(), "lab-example-r1", map[string]string{scenario.LabelScenario: "example",
		scenario.LabelRun: "r1"}); err != nil {
		t.Fatal(err)
	}
	refused(scenario.Env{From: "2"}, "--from-step: run r1 was not kept; it is still running or was killed")
	if _, err := scenario.Run(t.Context(), s, scenario.Env{Kube: c, HTTP: http, Run: "r2", Until: "1"}); err != nil {
		t.Fatal(err)
	}
	refused(scenario.Env{From: "3"}, "--from-step 3: of run r2, only 1 step passed; use --from-step 2, or --run-id for another run")
}
