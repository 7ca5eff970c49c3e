package scenario

import (
	"context"
	"reflect"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// within is how long a step may look: what the file says, or otherwise, and at most as long as the run has patience for it.
func (r *runner) within(given Duration, otherwise time.Duration) time.Duration {
	if span := given.or(otherwise); r.limit == 0 || span < r.limit {
		return span
	}
	return r.limit
}

// limitOf is how long a step may look at most; 0 if that is for its file to say. Whatever waits for pods gets the time that
// it asks for, unless it is where the run is expected to fail: pods take as long as the machine is busy. So do the nodes' tables of
// Services, by which a request from a pod may go.
func (r *runner) limitOf(step Step) time.Duration {
	e := r.env
	switch {
	case e.Patience == 0:
		return 0
	case e.caught.Step != "" && !r.onTrial:
		return 0
	case step.Expect != nil && (step.Expect.From == "" || e.caught.Step == ""):
		return e.Patience
	case e.caught.Step != "":
		return 4 * e.Patience
	case step.Wait != nil && step.Wait.Ingress != "":
		return e.Patience
	}
	return 0
}

// How long the same has to be seen of what a mutant keeps from coming, for the mutant to be convicted before the time is over: a
// controller takes milliseconds, pods take seconds.
const (
	convictedAfter     = 1500 * time.Millisecond
	podsConvictedAfter = 6 * time.Second
)

// trial is the case against a mutant, in the step that it is to fail in: once the same has been seen for a while, and the report of the
// step would say what the mutant names, there is no need to look on. nil stands for no mutant.
type trial struct {
	r    *runner
	step Step
	// report is the step's, without what is seen.
	report StepReport
	after  time.Duration
	// same is what has been seen since a time.
	same  []probe.Mismatch
	since time.Time
}

// try returns the trial of what a step, which has been described, looks for; nil unless a mutant is to fail there.
func (r *runner) try(step Step, report *StepReport) *trial {
	if !r.onTrial {
		return nil
	}
	t := &trial{r: r, step: step, report: *report, after: convictedAfter}
	if step.Wait != nil {
		t.after = podsConvictedAfter
	}
	return t
}

// convicts tells whether a look settles the case.
func (t *trial) convicts(ctx context.Context, l look) bool {
	if t == nil || l.err != nil || l.holds() {
		return false
	}
	if !reflect.DeepEqual(t.same, l.mismatches) {
		t.same, t.since = l.mismatches, time.Now()
	}
	if time.Since(t.since) < t.after {
		return false
	}
	t.since = time.Now() // whatever comes of it, it is not asked for at every look
	report := t.report
	report.Outcome, report.Mismatches, report.Answer = Failed, l.mismatches, answerOf(l.observed)
	if t.r.env.caught.missing(&report) == "" {
		return true
	}
	diagnostics, lost := t.r.diagnose(ctx, t.step)
	report.Diagnostics = diagnostics
	return lost == nil && t.r.env.caught.missing(&report) == ""
}
