package scenario_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// reports is one of each kind: a failure with all that can be said about it, a skip, and a pass.
func reports() []*scenario.Report {
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	failed := scenario.StepReport{
		Number: 2, Name: "the picture", Verb: "expect", Text: "GET http://cheddar.k3f9d.test/ answers 200, app cheddar", Line: 9,
		Outcome: scenario.Failed, Seconds: 30.04, Tries: 211,
		Mismatches: []probe.Mismatch{
			{Field: "status", Expected: "200 OK", Observed: "503 Service Unavailable"},
			{Field: "header Content-Type", Expected: `"text/*"`, Observed: `"<none> & such"`},
		},
		Note:   "the last poll failed: nothing listens at 127.0.0.1:8080: connection refused",
		Answer: &scenario.Answer{Status: 503, Reason: "service has no endpoint", Milliseconds: 1.25},
		Diagnostics: &scenario.Diagnostics{
			Ingresses: []scenario.IngressState{{Name: "cheddar", Class: "ingresslab", Addresses: []string{"10.0.0.9"},
				Rules: []string{"cheddar.test/ -> cheddar:80"}}, {Name: "bare"}},
			Services: []scenario.ServiceState{{Name: "cheddar", Ports: []string{"80 -> 8080"}, NotReady: 1}},
			Pods:     []string{"cheddar-7d4 container cheese (image cheese:chedar): ErrImagePull"},
			Events:   []string{"pod cheddar-7d4: Failed: no such image (3 times)"},
		},
	}
	return []*scenario.Report{
		{
			Scenario: "host-routing", Title: "Every host gets its cheese", File: "scenarios/host-routing/scenario.yaml", Outcome: scenario.Failed,
			Reason: "step 2 (scenarios/host-routing/scenario.yaml:9): status: expected 200 OK, observed 503 Service " +
				"Unavailable", Run: "k3f9d", Namespace: "lab-host-routing-k3f9d",
			Started: started, Seconds: 31.2, Cleanup: "namespace is stuck",
			Steps: []scenario.StepReport{
				{Number: 1, Verb: "apply", Text: "apply cheeses.yaml", Line: 8, Outcome: scenario.Passed, Seconds: 0.21},
				failed,
				{Number: 3, Verb: "delete", Text: "delete ingress/stilton", Line: 10, Outcome: scenario.Skipped},
			},
		},
		{
			Scenario: "spreading", Title: "Pods are on all nodes", File: "scenarios/spreading/scenario.yaml", Outcome: scenario.Skipped,
			Reason: "requires nodes: one node only", Started: started, Steps: []scenario.StepReport{},
		},
		{
			Scenario: "kept", Title: "It works", File: "kept.yaml", Outcome: scenario.Passed, Run: "r1", Namespace: "lab-kept-r1", Started: started,
			Seconds: 0.5, Kept: true,
			Steps: []scenario.StepReport{{Number: 1, Verb: "expect", Text: "GET http://a.r1.test/ answers 404", Outcome: scenario.Passed,
				Seconds: 0.45, Tries: 3}},
		},
	}
}

// play tells a Progress what Run would have told it.
func play(p scenario.Progress, all []*scenario.Report) {
	for _, r := range all {
		p.ScenarioStarted(*r)
		for _, s := range r.Steps {
			if s.Outcome != scenario.Skipped {
				p.StepStarted(s)
				p.StepDone(s)
			}
		}
		p.ScenarioDone(*r)
	}
}

// TestRenderGolden compares what each renderer makes of the same reports with testdata/render/reports.txtar. Run it with
// -update to update it.
func TestRenderGolden(t *testing.T) {
	const golden = "testdata/render/reports.txtar"
	var plain, color, json, junit strings.Builder
	play(scenario.NewPretty(&plain, scenario.Style{}), reports())
	play(scenario.NewPretty(&color, scenario.Style{Color: true, Live: true}), reports()[2:])
	if err := scenario.WriteJSON(&json, reports()[:2]); err != nil {
		t.Fatal(err)
	}
	if err := scenario.WriteJUnit(&junit, reports()); err != nil {
		t.Fatal(err)
	}
	got := &txtar.Archive{Comment: []byte("The same reports as each renderer shows them. ESC and CR stand for the control characters.\n")}
	for _, f := range []struct{ name, data string }{
		{"plain", plain.String()}, {"color", color.String()}, {"json", json.String()}, {"junit", junit.String()},
	} {
		visible := strings.NewReplacer("\x1b", "ESC", "\r", "CR").Replace(f.data)
		got.Files = append(got.Files, txtar.File{Name: f.name, Data: []byte(visible)})
	}
	if *update {
		if err := os.WriteFile(golden, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := txtar.ParseFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range got.Files {
		if string(f.Data) != string(want.Files[i].Data) {
			t.Errorf("%s is\n%s\nwant\n%s", f.Name, f.Data, want.Files[i].Data)
		}
	}
}

func TestWorstOutcomeCounts(t *testing.T) {
	for want, of := range map[scenario.Outcome][]scenario.Outcome{
		scenario.Passed:      {},
		scenario.Skipped:     {scenario.Passed, scenario.Skipped},
		scenario.Failed:      {scenario.Failed, scenario.Skipped},
		scenario.TimedOut:    {scenario.TimedOut, scenario.Failed},
		scenario.Broken:      {scenario.TimedOut, scenario.Broken, scenario.Passed},
		scenario.Interrupted: {scenario.Interrupted, scenario.Broken},
	} {
		if got := scenario.Worst(of...); got != want {
			t.Errorf("Worst(%v) = %s, want %s", of, got, want)
		}
	}
}
