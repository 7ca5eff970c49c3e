package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// trafficPauses are the waits between the tries of a check whose traffic is not answered as it should be: ten seconds in all.
var trafficPauses = []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second, 5 * time.Second}

// Check runs the steps of a check in a namespace that is there, up to the first that does not hold. It changes nothing,
// and takes the hosts of the steps as they are. It returns the reports of the steps that ran; the last one tells how the
// check ended.
//
// Traffic is sent once by a step, and may be so a moment before a change is in force, or while a pod leaves. So a check that ends
// with traffic that is not answered as it should be is run again, from its first step and as a visitor who was never there: a few
// times only, for chance must not be asked until it says yes.
func Check(ctx context.Context, env Env, namespace string, steps []Step) []StepReport {
	reports, tries := checkRunner(env, namespace).perform(ctx, steps), 1
	for _, pause := range trafficPauses {
		if env.Patience > 0 {
			pause = min(pause, env.Patience)
		}
		if !missedTraffic(reports) || !pauseFor(ctx, pause) {
			break
		}
		again := checkRunner(env, namespace).perform(ctx, steps)
		if ctx.Err() != nil {
			break // what was cut short says less than what was seen before
		}
		reports = again
		tries++
	}
	if missedTraffic(reports) && tries > 1 {
		last := &reports[len(reports)-1]
		last.Note = strings.TrimPrefix(last.Note+"; ", "; ") + fmt.Sprintf("the same in each of %d tries", tries)
	}
	return reports
}

// missedTraffic tells whether a check has ended with traffic that was answered, and not as it should be.
func missedTraffic(reports []StepReport) bool {
	if len(reports) == 0 {
		return false
	}
	last := reports[len(reports)-1]
	return last.Verb == "traffic" && last.Outcome == Failed
}

// pauseFor waits, and tells whether ctx has let it.
func pauseFor(ctx context.Context, span time.Duration) bool {
	timer := time.NewTimer(span)
	defer timer.Stop()
	await(ctx, timer.C)
	return ctx.Err() == nil
}

// Refute looks whether a check does not hold, three times in a row, and returns the report of the step that does not. Once is enough
// if a step asks from a pod, which does so three times.
// It waits at most within for that, because a change from before may still be on its way. If the check holds all the
// time, the report is Passed. Where looks are slow, as traffic is, fewer than three refute it, too, if none of them held
// before the time was over. That nothing can be seen, because the ingress does not answer, refutes nothing: the
// report is Broken.
func Refute(ctx context.Context, env Env, namespace string, steps []Step, within time.Duration) StepReport {
	r := checkRunner(env, namespace)
	begin := time.Now()
	failing, seen := 0, look{}
	streak, times := steady, 1
	for _, step := range steps {
		if step.Expect != nil && step.Expect.From != "" {
			streak, times = step.Expect.looks()
		}
	}
	c := converge(ctx, patience{within: within, streak: streak}, func(ctx context.Context) look {
		for i, step := range steps {
			l := r.see(ctx, step, times)
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

// see looks once whether a step of a check holds, and from a pod so many times.
func (r *runner) see(ctx context.Context, step Step, times int) look {
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
	return r.seeAnswer(ctx, *step.Expect, times)
}

// checkRunner returns a runner that gives nothing names of its own.
func checkRunner(env Env, namespace string) *runner {
	return newRunner(env, isolation{namespace: namespace})
}
