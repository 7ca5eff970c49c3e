//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// atOnce is how many scenarios run at the same time. They wait for pods most of the time, and a machine of two cores can
// start the pods of a few.
const atOnce = 3

// pool runs scenarios beside each other, while the specs, which Ginkgo runs one after the other, wait for theirs. An
// exclusive one runs when no other does.
type pool struct {
	order []*scenario.Scenario
	runs  map[*scenario.Scenario]*scenarioRun
	slots chan struct{}
}

// scenarioRun is a scenario that runs or has run.
type scenarioRun struct {
	done   chan struct{}
	report *scenario.Report
	text   bytes.Buffer
	err    error
}

// newPool begins nothing: there is no cluster yet.
func newPool(order []*scenario.Scenario) *pool {
	return &pool{order: order, runs: map[*scenario.Scenario]*scenarioRun{}, slots: make(chan struct{}, atOnce)}
}

// result runs a scenario, together with those that come after it, and waits for its end. The runs outlive the spec that
// began them, and end with the suite's own context at the latest.
func (p *pool) result(ctx context.Context, s *scenario.Scenario) (*scenario.Report, string, error) {
	if s.Exclusive {
		p.settle()
		p.begin(s)
	} else {
		p.beginFrom(s)
	}
	run := p.runs[s]
	select {
	case <-run.done:
		return run.report, run.text.String(), run.err
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
}

// beginFrom begins a scenario and the next ones up to an exclusive one. With a focus, the next ones may not be wanted.
func (p *pool) beginFrom(s *scenario.Scenario) {
	p.begin(s)
	suite, _ := GinkgoConfiguration()
	if len(suite.FocusStrings) > 0 {
		return
	}
	for _, next := range p.order[slices.Index(p.order, s)+1:] {
		if next.Exclusive {
			return
		}
		p.begin(next)
	}
}

func (p *pool) begin(s *scenario.Scenario) {
	if p.runs[s] != nil {
		return
	}
	run := &scenarioRun{done: make(chan struct{})}
	p.runs[s] = run
	env := lab.env
	env.Progress = scenario.NewPretty(&run.text, scenario.Style{})
	go func() {
		defer close(run.done)
		p.slots <- struct{}{}
		defer func() { <-p.slots }()
		run.report, run.err = scenario.Run(lab.ctx, s, env)
	}()
}

// settle waits until nothing runs.
func (p *pool) settle() {
	for _, run := range p.runs {
		<-run.done
	}
}
