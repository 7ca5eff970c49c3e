package labtest

import (
	"context"
	"fmt"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// jobOfScenario proves a scenario: its mutants, and then itself, one after the other and with the same pods where that can be.
func jobOfScenario(s *scenario.Scenario, env Env) *job {
	item := &Item{Kind: kindScenario, Name: s.Metadata.Name, File: s.File(), Outcome: scenario.Skipped, Parts: []Part{}}
	return &job{item: item, exclusive: s.Exclusive, locks: s.Locks, tolerates: s.Tolerates, prove: func(ctx context.Context) {
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

// runScenario shows that a scenario passes.
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
		fault := Fault{File: s.File(), Line: line, Text: report.Reason}
		part.Faults = append(part.Faults, fault)
	default:
		part.Reason = report.Reason
		if part.Reason == "" && err != nil {
			part.Reason = err.Error()
		}
	}
	return part
}

// testMutant shows that a scenario fails with one of its mutants, where and why it has to.
func testMutant(ctx context.Context, s *scenario.Scenario, m scenario.Mutant, shared *SharedRun) Part {
	begin := time.Now()
	report, _ := shared.RunMutant(ctx, m) // the report carries the error
	part := Part{Kind: KindMutant, Text: m.Name, File: s.File(), Line: report.Line, Outcome: report.Outcome(), Seconds: time.Since(begin).Seconds()}
	if report.Verdict == Inconclusive && report.Report == nil {
		part.Outcome = scenario.Failed // it cannot even be made
	}
	switch part.Outcome {
	case scenario.Passed:
		part.Seen = report.Reason
	case scenario.Failed:
		verdict := "it is " + string(report.Verdict)
		if report.Verdict == Survived {
			verdict = "it survives"
		}
		part.Faults = []Fault{{File: s.File(), Line: report.Line, Text: fmt.Sprintf("mutant %q: %s: %s", m.Name, verdict, report.Reason)}}
	default:
		part.Reason = report.Reason
	}
	return part
}
