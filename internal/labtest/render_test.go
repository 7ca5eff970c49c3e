package labtest_test

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/labtest"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// example is a report with all differences.
func example() *labtest.Report {
	return labtest.NewReport(
		&labtest.ClusterReport{Provider: "kind", Outcome: scenario.Skipped, Reason: "no Docker engine answers"},
		&labtest.ClusterReport{Provider: "embedded", Cluster: "ingresslab-test-embedded", Outcome: scenario.Failed, Seconds: 3,
			Items: []*labtest.Item{
				{Kind: "lab", Name: "shop", Number: 1, File: "labs/01-shop/lesson.md", Outcome: scenario.Failed, Seconds: 2, Parts: []labtest.Part{
					{Kind: labtest.KindStart, Text: "fails at the start", Outcome: scenario.Passed, Seen: "1 task not done"},
					{Kind: labtest.KindMutant, Text: "another class", File: "labs/01-shop/mutants.yaml", Line: 3, Outcome: scenario.Failed,
						Faults: []labtest.Diagnostic{
							{File: "labs/01-shop/mutants.yaml", Line: 3, Text: "it survives"},
						}},
					{Kind: labtest.KindLesson, Text: "the lesson's outputs match the cluster", Outcome: scenario.Skipped, Reason: "no kubectl"},
				}},
				{Kind: "scenario", Name: "canary", File: "scenarios/canary/scenario.yaml", Outcome: scenario.Skipped,
					Reason: "requires nodes: there is one"},
			}},
	)
}

func TestReports(t *testing.T) {
	t.Parallel()
	report := example()
	if report.Outcome != scenario.Failed {
		t.Errorf("the outcome is %s", report.Outcome)
	}
	var text strings.Builder
	if err := labtest.WriteJUnit(&text, report); err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal([]byte(text.String()), new(struct{})); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		`<testsuites tests="5" failures="1" errors="0" skipped="3" time="3.000">`,
		`<testsuite name="kind"`, `<skipped message="no Docker engine answers">`,
		`<testsuite name="embedded: lab 1 shop" file="labs/01-shop/lesson.md"`,
		`<testcase name="mutant &#34;another class&#34; is caught" classname="embedded: lab 1 shop" file="labs/01-shop/mutants.yaml" line="3"`,
		`<failure message="labs/01-shop/mutants.yaml:3: it survives">`,
		`<skipped message="requires nodes: there is one">`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the JUnit report lacks %s:\n%s", want, text.String())
		}
	}
	text.Reset()
	if err := labtest.WriteJSON(&text, report); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Kind    string
		Outcome string
		Places  []struct {
			Items []struct {
				Parts []struct{ Faults []struct{ Line int } }
			}
		}
	}
	if err := json.Unmarshal([]byte(text.String()), &document); err != nil {
		t.Fatal(err)
	}
	if document.Kind != "Proof" || document.Outcome != "failed" || document.Places[1].Items[0].Parts[1].Faults[0].Line != 3 {
		t.Errorf("%+v", document)
	}
	text.Reset()
	pretty := labtest.NewPretty(&text, scenario.Style{})
	pretty.Absent(report.Places[0])
	pretty.Place(report.Places[1])
	pretty.Item(report.Places[1].Items[0])
	pretty.Done(report.Places[1])
	want := `○ on kind: was skipped: no Docker engine answers
on embedded: cluster "ingresslab-test-embedded" (up in 0.0s)
✗ lab 1 shop: fails at the start, 0 of 1 mutant caught (2.0s)
    ✗ mutant "another class"
        labs/01-shop/mutants.yaml:3: it survives
    ○ the lesson's outputs match the cluster: skipped: no kubectl
✗ on embedded: failed: 1 lab, 1 scenario, 0 of 1 mutant caught; 1 failed (3.0s)
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
}
