package prove

import (
	"context"
	"fmt"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// jobOfScenario is a task for the scenario and one for each of its mutants: each run has a namespace of its own.
func jobOfScenario(s *scenario.Scenario, env Env) *job {
	item := &Item{Kind: kindScenario, Name: s.Metadata.Name, File: s.File(), Outcome: scenario.Skipped}
	item.Parts = make([]Part, 1+len(s.Mutants))
	if why := env.Capabilities.Lacks(s.Requires...); len(why) > 0 {
		item.Parts = []Part{}
		return &job{item: item, tasks: []func(context.Context){func(context.Context) { skip(item, env, s.Requires) }}}
	}
	tasks := []func(context.Context){func(ctx context.Context) { item.Parts[0] = runScenario(ctx, s, env) }}
	for i, m := range s.Mutants {
		tasks = append(tasks, func(ctx context.Context) { item.Parts[i+1] = runMutant(ctx, s, m, env) })
	}
	return &job{item: item, tasks: tasks}
}

const kindScenario = "scenario"

// runScenario shows that a scenario passes.
func runScenario(ctx context.Context, s *scenario.Scenario, env Env) Part {
	begin := time.Now()
	own := env.Env.Env
	own.Progress = nil
	report, err := scenario.Run(ctx, s, own)
	part := Part{Kind: KindScenario, Text: "passes", File: s.File(), Line: 1, Outcome: report.Outcome, Seconds: time.Since(begin).Seconds()}
	switch report.Outcome {
	case scenario.Passed:
		part.Seen = plural(len(report.Steps), "step", "steps")
	case scenario.Failed, scenario.TimedOut:
		fault := Fault{File: s.File(), Line: failingLine(report), Text: report.Reason}
		part.Faults = append(part.Faults, fault)
	default:
		part.Reason = report.Reason
		if part.Reason == "" && err != nil {
			part.Reason = err.Error()
		}
	}
	return part
}

// runMutant shows that a scenario fails with one of its mutants, where and why it has to.
func runMutant(ctx context.Context, s *scenario.Scenario, m scenario.Mutant, env Env) Part {
	begin := time.Now()
	own := env.Env.Env
	own.Progress = nil
	report, _ := scenario.RunMutant(ctx, s, m, own) // the report carries the error
	part := Part{Kind: KindMutant, Text: m.Name, File: s.File(), Line: report.Line, Outcome: report.Outcome(), Seconds: time.Since(begin).Seconds()}
	if report.Verdict == scenario.Inconclusive && report.Report == nil {
		part.Outcome = scenario.Failed // it cannot even be made
	}
	switch part.Outcome {
	case scenario.Passed:
		part.Seen = report.Reason
	case scenario.Failed:
		verdict := "it is " + string(report.Verdict)
		if report.Verdict == scenario.Survived {
			verdict = "it survives"
		}
		part.Faults = []Fault{{File: s.File(), Line: report.Line, Text: fmt.Sprintf("mutant %q: %s: %s", m.Name, verdict, report.Reason)}}
	default:
		part.Reason = report.Reason
	}
	return part
}

// failingLine is where the step stands that ended the run.
func failingLine(report *scenario.Report) int {
	for _, step := range report.Steps {
		if step.Outcome != scenario.Passed && step.Outcome != scenario.Skipped {
			return step.Line
		}
	}
	return 1
}
