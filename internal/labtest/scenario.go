package labtest

import (
	"context"
	"fmt"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// jobOfScenario returns the job of a scenario: it runs the mutants and then the scenario, with the same pods where possible.
func jobOfScenario(s *scenario.Scenario, env Env) *job {
	item := &Item{Kind: kindScenario, Name: s.Metadata.Name, File: s.File(), Outcome: scenario.Skipped, Parts: []Part{}}
	return &job{item: item, exclusive: s.Exclusive, locks: s.Locks, tolerates: s.Tolerates, test: func(ctx context.Context) {
		if skip(item, env, s.Requires) || ctx.Err() != nil {
			return
		}
		own := env.Env.Env
		own.Progress = nil
		shared := NewSharedRun(s, own)
		var mutants []Part
		for _, m := range s.Mutants {
			mutants = append(mutants, testMutant(ctx, s, m, shared))
		}
		item.Parts = append([]Part{runScenario(ctx, s, shared)}, mutants...)
		if err := shared.Close(ctx); err != nil {
			item.Reason = err.Error()
		}
	}}
}

const kindScenario = "scenario"

// runScenario runs a scenario, which has to pass.
func runScenario(ctx context.Context, s *scenario.Scenario, shared *SharedRun) Part {
	begin := time.Now()
	report, err := shared.Run(ctx)
	part := Part{Kind: KindScenario, Text: "passes", File: s.File(), Line: 1, Outcome: report.Outcome, Seconds: time.Since(begin).Seconds()}
	switch report.Outcome {
	case scenario.Passed:
		part.Seen = text.Count(len(report.Steps), "step")
	case scenario.Failed, scenario.TimedOut:
		line := 1
		if failed := report.FailedStep(); failed != nil {
			line = failed.Line
		}
		fault := Diagnostic{File: s.File(), Line: line, Text: report.Reason}
		part.Faults = append(part.Faults, fault)
	default:
		part.Reason = report.Reason
		if part.Reason == "" && err != nil {
			part.Reason = err.Error()
		}
	}
	return part
}

// testMutant runs a scenario with one of its mutants, which has to fail where and why the mutant says.
func testMutant(ctx context.Context, s *scenario.Scenario, m scenario.Mutant, shared *SharedRun) Part {
	begin := time.Now()
	report, _ := shared.RunMutant(ctx, m) // the report carries the error
	part := Part{Kind: KindMutant, Text: m.Name, File: s.File(), Line: report.Line, Outcome: report.Outcome(),
		Seconds: time.Since(begin).Seconds()}
	if report.Verdict == Inconclusive && report.Report == nil {
		part.Outcome = scenario.Failed // the mutant cannot be applied
	}
	switch part.Outcome {
	case scenario.Passed:
		part.Seen = report.Reason
	case scenario.Failed:
		verdict := "it is " + string(report.Verdict)
		if report.Verdict == Survived {
			verdict = "it survives"
		}
		part.Faults = []Diagnostic{{File: s.File(), Line: report.Line, Text: fmt.Sprintf("mutant %q: %s: %s", m.Name, verdict, report.Reason)}}
	default:
		part.Reason = report.Reason
	}
	return part
}
