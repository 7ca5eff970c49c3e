package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// Check runs the steps of a check in a namespace that is there, up to the first that does not hold. It changes nothing,
// and takes the hosts of the steps as they are. It returns the reports of the steps that ran; the last one tells how the
// check ended.
func Check(ctx context.Context, env Env, namespace string, steps []Step) []StepReport {
	return checkRunner(env, namespace).perform(ctx, steps)
}

// Refute looks whether a check does not hold, three times in a row, and returns the report of the step that does not.
// It waits at most within for that, because a change from before may still be on its way. If the check holds all the
// time, the report is Passed. Where looks are slow, as traffic is, fewer than three refute it, too, if none of them held
// before the time was over. That nothing can be seen, because the ingress does not answer, refutes nothing: the
// report is Broken.
func Refute(ctx context.Context, env Env, namespace string, steps []Step, within time.Duration) StepReport {
	r := checkRunner(env, namespace)
	begin := time.Now()
	failing, seen := 0, look{}
	c := converge(ctx, patience{within: within, streak: steady}, func(ctx context.Context) look {
		for i, step := range steps {
			l := r.see(ctx, step)
			if l.err == nil && ctx.Err() != nil {
				l.err = ctx.Err() // a look that was cut short says nothing: half the traffic has another share
			}
			if l.err != nil {
				return l
			}
			if !l.holds() {
				failing, seen = i, l
				return look{}
			}
		}
		return look{mismatches: []probe.Mismatch{{Field: "check", Expected: "not to hold", Observed: "it holds"}}}
	})
	report := r.describe(failing, steps[failing])
	report.Seconds, report.Tries = time.Since(begin).Seconds(), c.tries
	switch {
	case c.held, c.unopposed() && ctx.Err() == nil:
		report.Outcome, report.Mismatches, report.Answer = Failed, seen.mismatches, answerOf(seen.observed)
	case ctx.Err() != nil:
		report.Outcome = brokenUnless(ctx)
	case len(c.mismatch.mismatches) > 0:
		report.Outcome = Passed
	default:
		report.Outcome = Broken
		switch {
		case errors.Is(c.err, context.DeadlineExceeded):
			report.Error = fmt.Sprintf("not one look at the check ended within %s: the cluster answers too slowly", within)
		case c.err != nil:
			report.Error = c.err.Error()
		}
	}
	return report
}

// see looks once whether a step of a check holds.
func (r *runner) see(ctx context.Context, step Step) look {
	switch {
	case step.Wait != nil:
		return r.seeObject(ctx, *step.Wait)
	case step.Exec != nil:
		return r.seeOutput(ctx, *step.Exec)
	case step.Traffic != nil:
		var seen StepReport
		err := r.traffic(ctx, *step.Traffic, &seen)
		if err == nil {
			err = ctx.Err() // requests that were cut short say nothing about the others
		}
		return look{mismatches: seen.Mismatches, err: err}
	}
	return r.seeAnswer(ctx, *step.Expect)
}

// checkRunner returns a runner that gives nothing names of its own.
func checkRunner(env Env, namespace string) *runner {
	return newRunner(env, isolation{namespace: namespace})
}
