package compare_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/compare"
	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

func passed(name string) *scenario.Report {
	return &scenario.Report{Scenario: name, Outcome: scenario.Passed, Steps: []scenario.StepReport{{Number: 1, Outcome: scenario.Passed}}}
}

func skipped(name, why string) *scenario.Report {
	return &scenario.Report{Scenario: name, Outcome: scenario.Skipped, Reason: why}
}

// failed returns the report of a scenario with a mismatch in a field of a step. The next step did not run.
func failed(name string, step int, field, observed string) *scenario.Report {
	return &scenario.Report{Scenario: name, Outcome: scenario.Failed, Reason: "see the step", Steps: []scenario.StepReport{
		{Number: step, Outcome: scenario.Failed, Mismatches: []probe.Mismatch{{Field: field, Expected: "200", Observed: observed}}},
		{Number: step + 1, Outcome: scenario.Skipped},
	}}
}

func timedOut(name string, step int, why string) *scenario.Report {
	return &scenario.Report{Scenario: name, Outcome: scenario.TimedOut, Steps: []scenario.StepReport{
		{Number: step, Outcome: scenario.TimedOut, Error: why},
	}}
}

func sides(kind, embedded []*scenario.Report) compare.Comparison {
	return compare.Compare(compare.Side{Cluster: "kind", Reports: kind}, compare.Side{Cluster: "embedded", Reports: embedded})
}

func TestSameIgnoresObservedValues(t *testing.T) {
	for name, c := range map[string]struct {
		kind, embedded *scenario.Report
		same           bool
	}{
		"both passed":                            {passed("a"), passed("a"), true},
		"one failed":                             {passed("a"), failed("a", 2, "status", "503"), false},
		"one was skipped":                        {passed("a"), skipped("a", "requires nodes"), false},
		"skipped for different reasons":          {skipped("a", "requires nodes: x"), skipped("a", "requires nodes: y"), true},
		"failed in the same field on other pods": {failed("a", 2, "pod", "web-x1"), failed("a", 2, "pod", "web-y2"), true},
		"failed in another step":                 {failed("a", 2, "status", "503"), failed("a", 3, "status", "503"), false},
		"failed for another field":               {failed("a", 2, "status", "503"), failed("a", 2, "header", "503"), false},
		"one failed, the other timed out":        {failed("a", 2, "status", "503"), timedOut("a", 2, "pods are not ready"), false},
		"one did not run":                        {passed("a"), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			embedded := []*scenario.Report{c.embedded}
			if c.embedded == nil {
				embedded = nil
			}
			if got := len(sides([]*scenario.Report{c.kind}, embedded).Differences()) == 0; got != c.same {
				t.Errorf("same is %v, want %v", got, c.same)
			}
		})
	}
}

func TestTableShowsOnlyDifferences(t *testing.T) {
	var b strings.Builder
	c := sides(
		[]*scenario.Report{passed("a"), passed("tls"), passed("limits"), failed("nodes", 3, "status", "503")},
		[]*scenario.Report{
			passed("a"), failed("tls", 2, "status", "503"), skipped("limits", "requires dns: it has none"),
			failed("nodes", 3, "status", "504"), timedOut("extra", 1, "no answer"),
		},
	)
	if err := compare.WriteTable(&b, c); err != nil {
		t.Fatal(err)
	}
	want := `SCENARIO  ON kind      ON embedded
tls       passed       failed in step 2: status: expected 200, observed 503
limits    passed       was skipped: requires dns: it has none
extra     did not run  timed out in step 1: no answer
5 scenarios: kind and embedded differ in 3
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestTableWithoutDifferences(t *testing.T) {
	for want, reports := range map[string][]*scenario.Report{
		"1 scenario: same results on kind and embedded\n":                  {passed("a")},
		"2 scenarios: same results on kind and embedded; 1 did not pass\n": {passed("a"), failed("b", 1, "status", "503")},
	} {
		var b strings.Builder
		if err := compare.WriteTable(&b, sides(reports, reports)); err != nil || b.String() != want {
			t.Errorf("got %q, %v; want %q", b.String(), err, want)
		}
	}
}

func TestJSONHasEveryScenario(t *testing.T) {
	var b strings.Builder
	c := sides([]*scenario.Report{passed("a"), passed("b"), passed("c")}, []*scenario.Report{passed("a"), failed("b", 2, "status", "503")})
	if err := compare.WriteJSON(&b, c); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Kind      string
		Same      bool
		Clusters  []string
		Scenarios []struct {
			Scenario string
			Same     bool
			Verdicts map[string]struct {
				Outcome, Field, Reason string
				Step                   int
			}
		}
	}
	if err := json.Unmarshal([]byte(b.String()), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Kind != "Parity" || doc.Same || strings.Join(doc.Clusters, " ") != "kind embedded" || len(doc.Scenarios) != 3 {
		t.Fatalf("got %s", b.String())
	}
	second, third := doc.Scenarios[1], doc.Scenarios[2]
	if !doc.Scenarios[0].Same || second.Same || third.Same {
		t.Errorf("only scenario a has the same result: %s", b.String())
	}
	v := second.Verdicts["embedded"]
	if v.Outcome != "failed" || v.Step != 2 || v.Field != "status" || v.Reason != "status: expected 200, observed 503" {
		t.Errorf("b on embedded: %+v", v)
	}
	if _, ran := third.Verdicts["embedded"]; ran {
		t.Error("scenario c has a verdict for embedded, where it did not run")
	}
}
