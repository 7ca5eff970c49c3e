package lab_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// ran returns the reports of four runs of one lab: solved, with a wrong solution, in a cluster
// without pods, and in a cluster that does not answer.
func ran(t *testing.T) map[scenario.Outcome]*lab.Report {
	t.Helper()
	all := map[scenario.Outcome]*lab.Report{}
	for want, prepare := range map[scenario.Outcome]func(*lab.Lab, *lab.Env, *fakecluster.Cluster){
		scenario.Passed: func(*lab.Lab, *lab.Env, *fakecluster.Cluster) {},
		scenario.Failed: func(l *lab.Lab, _ *lab.Env, _ *fakecluster.Cluster) {
			wrong := *l.Tasks[1].Check[0].Expect
			wrong.Status, wrong.Within = 418, scenario.Duration(time.Millisecond)
			l.Tasks[1].Check = []scenario.Step{{Expect: &wrong}}
		},
		scenario.Skipped: func(_ *lab.Lab, e *lab.Env, _ *fakecluster.Cluster) {
			e.Capabilities = cluster.Missing{cluster.Pods: "no containers"}
		},
		scenario.Broken: func(_ *lab.Lab, _ *lab.Env, c *fakecluster.Cluster) {
			c.NamespaceErr = errors.New("connection refused")
		},
	} {
		l := hostRouting(t)
		l.Tasks = l.Tasks[1:3]
		c, env := environment(t)
		prepare(l, &env, c)
		report, err := lab.Run(t.Context(), l, env)
		if report.Outcome != want || (err != nil) != (want == scenario.Broken) {
			t.Fatalf("%s (%s), %v, want %s", report.Outcome, report.Reason, err, want)
		}
		all[want] = report
	}
	return all
}

func TestJSONHasWorstOutcome(t *testing.T) {
	t.Parallel()
	all := ran(t)
	for name, tc := range map[string]struct {
		reports []*lab.Report
		outcome string
	}{
		"none":    {nil, "passed"},
		"passed":  {[]*lab.Report{all[scenario.Passed]}, "passed"},
		"failed":  {[]*lab.Report{all[scenario.Failed], all[scenario.Passed]}, "failed"},
		"broken":  {[]*lab.Report{all[scenario.Broken], all[scenario.Failed]}, "broken"},
		"skipped": {[]*lab.Report{all[scenario.Skipped]}, "skipped"},
	} {
		var text bytes.Buffer
		if err := lab.WriteJSON(&text, tc.reports); err != nil {
			t.Fatal(err)
		}
		var doc struct {
			APIVersion, Kind, Outcome string
			Reports                   []struct {
				Number                     int
				Lab, Title, Dir, Namespace string
				Outcome, Reason            string
				Started                    time.Time
				Before, Solved, After      []struct {
					Task            string
					Holds, Expected bool
					Steps           []struct{ Outcome, Text string }
				}
				Open []string
			}
		}
		if err := json.Unmarshal(text.Bytes(), &doc); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text.String())
		}
		if doc.APIVersion != scenario.APIVersion || doc.Kind != "LabReports" || doc.Outcome != tc.outcome || len(doc.Reports) != len(tc.reports) {
			t.Errorf("%s: %s %s %s with %d reports", name, doc.APIVersion, doc.Kind, doc.Outcome, len(doc.Reports))
		}
		if doc.Reports == nil || strings.Contains(text.String(), `"before": null`) {
			t.Errorf("%s: an empty value must be a list:\n%s", name, text.String())
		}
		if name != "passed" {
			continue
		}
		r := doc.Reports[0]
		if r.Number != 1 || r.Lab != "host-routing" || r.Namespace != "lab-1" || r.Reason != "" || r.Started.IsZero() || len(r.Open) != 3 {
			t.Errorf("the report is %+v", r)
		}
		if len(r.Before) != 2 || !r.Before[0].Holds || r.Before[1].Holds || !r.Before[1].Expected || len(r.Solved) != 1 || len(r.After) != 2 {
			t.Errorf("the checks are %+v, %+v, %+v", r.Before, r.Solved, r.After)
		}
	}
}

type junit struct {
	junitCounts
	Suites []struct {
		Name string `xml:"name,attr"`
		File string `xml:"file,attr"`
		junitCounts
		Cases []struct {
			Name    string        `xml:"name,attr"`
			Failure *junitProblem `xml:"failure"`
			Error   *junitProblem `xml:"error"`
			Skipped *junitProblem `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

type junitCounts struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Skipped  int `xml:"skipped,attr"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// A CI system identifies a case by its name, so the name must not depend on the result.
func TestJUnitHasSuiteForLabAndCaseForCheck(t *testing.T) {
	t.Parallel()
	const open, solve = "A host that no rule names is answered with 404", "cheddar.localhost shows the cheddar"
	all := ran(t)
	var text bytes.Buffer
	outcomes := []scenario.Outcome{scenario.Passed, scenario.Failed, scenario.Skipped, scenario.Broken}
	var reports []*lab.Report
	for _, outcome := range outcomes {
		reports = append(reports, all[outcome])
	}
	if err := lab.WriteJUnit(&text, reports); err != nil {
		t.Fatal(err)
	}
	var doc junit
	if err := xml.Unmarshal(text.Bytes(), &doc); err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	for i, want := range []struct {
		names   []string
		counts  junitCounts
		message string
	}{
		{[]string{"from start/: " + open, "from start/: not yet: " + solve, "with its solution: " + solve, "at the end: " + open,
			"at the end: " + solve}, junitCounts{Tests: 5}, ""},
		{[]string{"from start/: " + open, "from start/: not yet: " + solve, "with its solution: " + solve},
			junitCounts{Tests: 3, Failures: 1}, "note: the step is: GET http://cheddar.localhost/ answers 418, service cheddar, app cheddar"},
		{[]string{"Three cheeses, one door"}, junitCounts{Tests: 1, Skipped: 1}, "no containers"},
		{[]string{"Three cheeses, one door"}, junitCounts{Tests: 1, Errors: 1}, "connection refused"},
	} {
		suite := doc.Suites[i]
		if suite.Name != "lab 1 host-routing" || suite.File != "testdata/labs/01-host-routing/lesson.md" || suite.junitCounts != want.counts {
			t.Errorf("%s: suite %q of %s with %+v, want %+v", outcomes[i], suite.Name, suite.File, suite.junitCounts, want.counts)
		}
		var names []string
		message := ""
		for _, c := range suite.Cases {
			names = append(names, c.Name)
			for _, p := range []*junitProblem{c.Failure, c.Error, c.Skipped} {
				if p != nil {
					message += p.Message + p.Text
				}
			}
		}
		if got, want := strings.Join(names, "\n"), strings.Join(want.names, "\n"); got != want {
			t.Errorf("%s: the cases are\n%s\nwant\n%s", outcomes[i], got, want)
		}
		if (message == "") != (want.message == "") || !strings.Contains(message, want.message) {
			t.Errorf("%s: problem %q, want it to contain %q", outcomes[i], message, want.message)
		}
	}
	if want := (junitCounts{Tests: 10, Failures: 1, Errors: 1, Skipped: 1}); doc.junitCounts != want {
		t.Errorf("total %+v, want %+v", doc.junitCounts, want)
	}
}

// The check passes before the task is done.
func TestJUnitCaseFailsIfCheckPassesAtStart(t *testing.T) {
	t.Parallel()
	l := hostRouting(t)
	l.Tasks = l.Tasks[2:3]
	l.Start = append(l.Start[:len(l.Start)-1], l.Solution...)
	_, env := environment(t)
	report, err := lab.Run(t.Context(), l, env)
	if err == nil {
		t.Fatal("Run returns no error")
	}
	var text bytes.Buffer
	if err := lab.WriteJUnit(&text, []*lab.Report{report}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), `name="from start/: not yet: cheddar.localhost shows the cheddar"`) ||
		!strings.Contains(text.String(), `<failure message="the check passes before the task is done">`) {
		t.Errorf("the document is\n%s", text.String())
	}
}
