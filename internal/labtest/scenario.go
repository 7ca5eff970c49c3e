package labtest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// jobOfScenario returns the job of a scenario. The job runs the mutants and then the scenario, and
// reuses pods where possible.
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

// runScenario runs a scenario, and checks that it passes.
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

// testMutant runs a scenario with a mutant, and checks that it fails in the mutant's step and for
// the mutant's reason.
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

// SharedRun runs a scenario and its mutants in sequence. The runs share pods, because starting pods
// takes most of a run's time. A mutant that changes workloads starts and removes its own pods. A
// run that changes pods ends the sharing. It is not safe for concurrent use.
type SharedRun struct {
	scenario *scenario.Scenario
	env      scenario.Env
	within   time.Duration
	// run is the run whose namespace and pods exist. It is empty if there is none.
	run, namespace string
}

// NewSharedRun returns a SharedRun without sending a request. It ignores Run, Keep, From, and Until
// of env.
func NewSharedRun(s *scenario.Scenario, env scenario.Env) *SharedRun {
	env.Run, env.Keep, env.From, env.Until = "", false, "", ""
	return &SharedRun{scenario: s, env: env, within: mutantWithin}
}

// Run runs the scenario like scenario.Run.
func (x *SharedRun) Run(ctx context.Context) (*scenario.Report, error) {
	report, err := scenario.Run(ctx, x.scenario, x.next())
	x.keep(ctx, report, nil)
	return report, err
}

// RunMutant runs a mutant like the function RunMutant. If it cannot first remove workloads that the
// mutant changes, the mutant runs in its own namespace.
func (x *SharedRun) RunMutant(ctx context.Context, m scenario.Mutant) (*MutantReport, error) {
	others := x.scenario.OtherPods(m)
	if x.run != "" && x.retire(ctx, x.namespace, others) != nil {
		return runMutantWithin(ctx, x.scenario, m, x.env, x.within)
	}
	report, err := runMutantWithin(ctx, x.scenario, m, x.next(), x.within)
	x.keep(ctx, report.Report, others)
	return report, err
}

// next returns the Env of the next run, which takes over the pods.
func (x *SharedRun) next() scenario.Env {
	env := x.env
	env.Run, env.ReusePods = x.run, true
	x.run, x.namespace = "", ""
	return env
}

// keep takes over the pods of a run, except those of the workloads in others.
func (x *SharedRun) keep(ctx context.Context, report *scenario.Report, others []*unstructured.Unstructured) {
	if report == nil || !report.PodsKept {
		return
	}
	x.run, x.namespace = report.Run, report.Namespace
	if x.retire(ctx, report.Namespace, others) == nil {
		return
	}
	if err := x.Close(ctx); err != nil {
		report.Cleanup = err.Error()
	}
}

func (x *SharedRun) retire(ctx context.Context, namespace string, workloads []*unstructured.Unstructured) error {
	var own []*unstructured.Unstructured
	for _, o := range workloads {
		o = o.DeepCopy()
		if o.GetNamespace() == "" {
			o.SetNamespace(namespace)
		}
		own = append(own, o)
	}
	return scenario.Retire(ctx, x.env.Kube, own...)
}

// closeTimeout limits the request to remove a namespace.
const closeTimeout = 30 * time.Second

// Close removes the namespace of the last run, even if ctx has ended. It does not wait for the
// removal.
func (x *SharedRun) Close(ctx context.Context) error {
	if x.run == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	namespace := x.namespace
	x.run, x.namespace = "", ""
	if err := x.env.Kube.DeleteNamespace(ctx, namespace, false); err != nil {
		return fmt.Errorf("scenario %s: %w", x.scenario.Metadata.Name, err)
	}
	return nil
}

// Batch runs scenarios or mutants in parallel in one cluster. An error of the cluster ends the
// batch.
type Batch struct {
	Env      scenario.Env
	Parallel int
	// Begin announces a run. It returns the printer for the run's report, and a function to call
	// with the run's error.
	Begin func(name string) (p *scenario.Pretty, end func(error))
}

// Scenarios runs scenarios, and returns their reports in order. A scenario that did not start has
// the outcome Skipped.
func (b Batch) Scenarios(ctx context.Context, list []*scenario.Scenario) []*scenario.Report {
	reports := make([]*scenario.Report, len(list))
	var jobs []scenario.Job
	for i, s := range list {
		jobs = append(jobs, batchJob(s, func(ctx context.Context) error {
			p, end := b.Begin(s.Metadata.Name)
			env := b.Env
			env.Progress = p
			report, err := scenario.Run(ctx, s, env)
			reports[i] = report
			end(err)
			return err
		}))
	}
	scenario.Schedule(ctx, b.Parallel, jobs)
	why := "not started: the lab is broken"
	if ctx.Err() != nil {
		why = "not started: interrupted"
	}
	for i, s := range list {
		if reports[i] == nil {
			reports[i] = s.NotBegun(why)
		}
	}
	return reports
}

// Mutants runs the mutants of scenarios, and returns their reports in order. It omits mutants that
// did not start.
func (b Batch) Mutants(ctx context.Context, list []*scenario.Scenario) []*MutantReport {
	var reports []*MutantReport
	var jobs []scenario.Job
	for _, s := range list {
		for _, mutant := range s.Mutants {
			i := len(jobs)
			reports = append(reports, nil)
			jobs = append(jobs, batchJob(s, func(ctx context.Context) error {
				p, end := b.Begin(s.Metadata.Name + ": " + mutant.Name)
				report, err := RunMutant(ctx, s, mutant, b.Env)
				WriteMutant(p, *report)
				reports[i] = report
				end(err)
				return err
			}))
		}
	}
	scenario.Schedule(ctx, b.Parallel, jobs)
	return slices.DeleteFunc(reports, func(r *MutantReport) bool { return r == nil })
}

// batchJob returns a job of a scenario. An error of run ends the batch.
func batchJob(s *scenario.Scenario, run func(context.Context) error) scenario.Job {
	return scenario.Job{Exclusive: s.Exclusive, Locks: s.Locks, Tolerates: s.Tolerates, Do: func(ctx context.Context) bool {
		return run(ctx) == nil
	}}
}
