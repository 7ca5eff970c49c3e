package scenario

import (
	"context"
	"time"
)

// Glance looks at the steps of a check in a namespace that is there, up to the first that does not hold, and waits for
// nothing: what is not so now is reported as not so. An answer that is as expected is asked for three times, as Check does.
// The last report tells how it ended: Passed, Failed, Broken if nothing could be seen, or what the end of ctx makes of it.
func Glance(ctx context.Context, env Env, namespace string, steps []Step) []StepReport {
	r := checkRunner(env, namespace)
	var reports []StepReport
	for i, step := range steps {
		report := r.glance(ctx, i, step)
		reports = append(reports, report)
		if report.Outcome != Passed {
			break
		}
	}
	return reports
}

// glance looks once at one step, or until it has held as often as is worth relying on.
func (r *runner) glance(ctx context.Context, index int, step Step) StepReport {
	report, begin := r.describe(index, step), time.Now()
	looks, times := 1, 1
	if step.Expect != nil {
		looks, times = step.Expect.looks()
	}
	var l look
	for range looks {
		l = r.see(ctx, step, times)
		report.Tries++
		if !l.holds() {
			break
		}
	}
	report.Seconds, report.Answer = time.Since(begin).Seconds(), answerOf(l.observed)
	switch {
	case l.holds():
		report.Outcome = Passed
	case ctx.Err() != nil:
		report.Outcome = brokenUnless(ctx)
	case l.err != nil:
		report.Outcome, report.Error = Broken, l.err.Error()
	default:
		report.Outcome, report.Mismatches = Failed, l.mismatches
	}
	if step.Expect != nil && step.Expect.Session != "" && l.holds() {
		r.sessions[step.Expect.Session].remember(l.observed)
	}
	return report
}
