package labtest

import (
	"context"
	"slices"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Batch runs scenarios or mutants in parallel in one cluster. An error of the cluster ends it, because later runs would fail, too.
type Batch struct {
	Env      scenario.Env
	Parallel int
	// Begin announces a run. It returns the printer for the run's report, and a function to call with the run's error.
	Begin func(name string) (p *scenario.Pretty, end func(error))
}

// Scenarios runs scenarios, and returns their reports in the order of the list. The report of a scenario that did not start is a
// skip.
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

// Mutants runs the mutants of scenarios, and returns their reports in order. It omits mutants that did not start.
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

// batchJob returns a job of a scenario, which ends the batch if run returns an error.
func batchJob(s *scenario.Scenario, run func(context.Context) error) scenario.Job {
	return scenario.Job{Exclusive: s.Exclusive, Locks: s.Locks, Tolerates: s.Tolerates, Do: func(ctx context.Context) bool {
		return run(ctx) == nil
	}}
}
