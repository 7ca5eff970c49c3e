//go:build e2e

package e2e

import (
	"bytes"
	"context"

	. "github.com/onsi/ginkgo/v2"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// atOnce is how many scenarios run at the same time. They wait for pods most of the time, and a
// machine of two cores can start the pods of a few.
const atOnce = 3

// pool runs scenarios beside each other, while the specs, which Ginkgo runs one after the other,
// wait for theirs.
type pool struct {
	order []*scenario.Scenario
	runs  map[*scenario.Scenario]*scenarioRun
}

// scenarioRun is a scenario that runs or has run.
type scenarioRun struct {
	done   chan struct{}
	report *scenario.Report
	text   bytes.Buffer
	err    error
}

// newPool begins nothing: there is no cluster yet. The exclusive scenarios are the last of the
// order.
func newPool(order []*scenario.Scenario) *pool {
	return &pool{order: order, runs: map[*scenario.Scenario]*scenarioRun{}}
}

// result waits for the end of a scenario. The first that is asked for begins them all; with a
// focus, the others may not be wanted, and each begins when it is asked for. The runs outlive the
// spec that began them, and end with the suite's own context at the latest.
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
