//go:build e2e

package e2e

import (
	"bytes"
	"context"

	. "github.com/onsi/ginkgo/v2"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// atOnce is the number of parallel scenarios. They mostly wait for pods.
const atOnce = 3

// pool runs scenarios in parallel, while the sequential specs of Ginkgo wait for the results.
type pool struct {
	order []*scenario.Scenario
	runs  map[*scenario.Scenario]*scenarioRun
}

// scenarioRun is a scenario with its result.
type scenarioRun struct {
	done   chan struct{}
	report *scenario.Report
	text   bytes.Buffer
	err    error
}

// newPool starts nothing, because there is no cluster yet. Exclusive scenarios are the last.
func newPool(order []*scenario.Scenario) *pool {
	return &pool{order: order, runs: map[*scenario.Scenario]*scenarioRun{}}
}

// result waits for the end of a scenario. The first call starts all; with a focus, each call starts
// its own. The runs end with the suite's context at the latest.
func (p *pool) result(ctx context.Context, s *scenario.Scenario) (*scenario.Report, string, error) {
	if p.runs[s] == nil {
		wanted := p.order
		if suite, _ := GinkgoConfiguration(); len(suite.FocusStrings) > 0 {
			wanted = []*scenario.Scenario{s}
		}
		p.begin(wanted)
	}
	run := p.runs[s]
	select {
	case <-run.done:
		return run.report, run.text.String(), run.err
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
}

func (p *pool) begin(wanted []*scenario.Scenario) {
	var jobs []scenario.Job
	for _, s := range wanted {
		run := &scenarioRun{done: make(chan struct{})}
		p.runs[s] = run
		env := lab.env
		env.Progress = scenario.NewPretty(&run.text, scenario.Style{})
		jobs = append(jobs, scenario.Job{Exclusive: s.Exclusive, Locks: s.Locks, Tolerates: s.Tolerates, Do: func(ctx context.Context) bool {
			defer close(run.done)
			run.report, run.err = scenario.Run(ctx, s, env)
			return true
		}})
	}
	go scenario.Schedule(lab.ctx, atOnce, jobs)
}
