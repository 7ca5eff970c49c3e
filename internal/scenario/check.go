package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// trafficPauses are the pauses between attempts of a check with failing traffic, ten seconds in
// total.
var trafficPauses = []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second, 5 * time.Second}

// Check runs the steps of a check in an existing namespace, up to the first failure. It changes no
// objects and no host names. It returns the reports of the steps that ran. A traffic step might run
// before an earlier change is in effect. So if traffic fails, the check runs again from its first
// step, with new sessions. The number of attempts is small, because a test must not repeat a random
// result until it passes.
func Check(ctx context.Context, env Env, namespace string, steps []Step) []StepReport {
	reports, tries := checkRunner(env, namespace).perform(ctx, steps), 1
	for _, pause := range trafficPauses {
		if !missedTraffic(steps, reports) || !pauseFor(ctx, pause) {
			break
		}
		again := checkRunner(env, namespace).perform(ctx, steps)
		if ctx.Err() != nil {
			break // a canceled attempt has no result
		}
		reports = again
		tries++
	}
	if missedTraffic(steps, reports) && tries > 1 {
		last := &reports[len(reports)-1]
		last.Note = strings.TrimPrefix(last.Note+"; ", "; ") + fmt.Sprintf("same result in %d attempts", tries)
	}
	return reports
}

// missedTraffic reports whether a check ended with a failed step whose result depends on chance.
func missedTraffic(steps []Step, reports []StepReport) bool {
	last := len(reports) - 1
	return last >= 0 && reports[last].Outcome == Failed && steps[last].only().traits().once
}

// ExpectFailure waits, for at most within, until a check fails three times in a row, because an
// earlier change might not be in effect yet. One failure is enough for a step that sends requests
// from a pod, because one poll repeats them. It returns the report of the failing step. The check
// has also failed if there was time for fewer than three polls, and none passed. The outcome is
// Passed if the check still passes, and Broken if no poll could be evaluated.
func ExpectFailure(ctx context.Context, env Env, namespace string, steps []Step, within time.Duration) StepReport {
	r := checkRunner(env, namespace)
	begin := time.Now()
	failing, seen := 0, pollResult{}
	streak := steady
	for _, step := range steps {
		if e := step.asks(); e != nil && e.From != "" {
			streak = 1
		}
	}
	c := converge(ctx, polling{within: within, streak: streak}, func(ctx context.Context) pollResult {
		for i, step := range steps {
			l := r.poll(ctx, step)
			if l.err == nil && ctx.Err() != nil {
				l.err = ctx.Err() // a canceled poll has no result, because a part of the traffic can have a different share
			}
			if l.err != nil {
				return l
			}
			if !l.holds() {
				failing, seen = i, l
				return pollResult{}
			}
		}
		return pollResult{mismatches: []probe.Mismatch{{Field: "check", Expected: "not to hold", Observed: "it holds"}}}
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
			report.Error = fmt.Sprintf("no poll of the check ended within %s; the cluster responds too slowly", within)
		case c.err != nil:
			report.Error = c.err.Error()
		}
	}
	return report
}

func (r *runner) poll(ctx context.Context, step Step) pollResult {
	if o := step.observer(); o != nil {
		return o.poll(ctx, r)
	}
	return pollResult{err: fmt.Errorf("%s changes something, which a check cannot do", step.Verb())}
}

// checkRunner returns a runner that leaves the names of objects and hosts unchanged.
func checkRunner(env Env, namespace string) *runner {
	return newRunner(env, isolation{namespace: namespace})
}

// CheckOnce evaluates the steps of a check without waiting, up to the first failure. The namespace
// must exist. It sends each request up to three times, as Check does. The last report has the
// result: Passed, Failed, Broken if it could not be evaluated, TimedOut, or Interrupted.
func CheckOnce(ctx context.Context, env Env, namespace string, steps []Step) []StepReport {
	r := checkRunner(env, namespace)
	var reports []StepReport
	for i, step := range steps {
		report := r.checkOnce(ctx, i, step)
		reports = append(reports, report)
		if report.Outcome != Passed {
			break
		}
	}
	return reports
}

// checkOnce polls a step until it fails, or has passed as often as its streak requires.
func (r *runner) checkOnce(ctx context.Context, index int, step Step) StepReport {
	report, begin := r.describe(index, step), time.Now()
	polls := 1
	if o := step.observer(); o != nil {
		polls = o.streak()
	}
	var l pollResult
	for range polls {
		l = r.poll(ctx, step)
		report.Tries++
		if !l.holds() {
			break
		}
	}
	report.Seconds, report.Answer = time.Since(begin).Seconds(), answerOf(l.observed)
	switch {
	case l.holds():
		report.Outcome = Passed
		r.sessions[step.only().traits().session].remember(l.observed)
	case ctx.Err() != nil:
		report.Outcome = brokenUnless(ctx)
	case l.err != nil:
		report.Outcome, report.Error = Broken, l.err.Error()
	default:
		report.Outcome, report.Mismatches = Failed, l.mismatches
	}
	return report
}

// Perform executes the steps of a solution in an existing namespace, up to the first failure.
// manifests maps the file names in the steps to manifests. It adds the namespace to objects without
// one, and does not rename objects or hosts. The caller must restore changes outside the namespace.
// It returns the reports of the steps that ran.
func Perform(ctx context.Context, env Env, namespace string, manifests map[string]Manifest, steps []Step) []StepReport {
	r := checkRunner(env, namespace)
	r.manifests = manifests
	return r.perform(ctx, steps)
}

// perform runs steps up to the first that does not pass.
func (r *runner) perform(ctx context.Context, steps []Step) []StepReport {
	var reports []StepReport
	for i, step := range steps {
		done, _ := r.step(ctx, i, step) // the report carries the error
		reports = append(reports, done)
		if done.Outcome != Passed {
			break
		}
	}
	return reports
}

// Ask runs the steps of before, and then sends request once in the same sessions. It returns the
// response with the Services of the responding pod. It ignores what request expects.
func Ask(ctx context.Context, env Env, namespace string, before []Step, request Expect) (probe.Observation, error) {
	r := checkRunner(env, namespace)
	for _, report := range r.perform(ctx, before) {
		if report.Outcome != Passed {
			return probe.Observation{}, fmt.Errorf("%s: %s", report.Text, report.Why())
		}
	}
	seen := r.seeAnswer(ctx, request, 1)
	switch {
	case seen.err != nil:
		return probe.Observation{}, seen.err
	case seen.observed == nil:
		return probe.Observation{}, errors.New("no response")
	}
	o := *seen.observed
	if o.Served != nil && len(o.Served.Services) == 0 && o.Served.Pod != "" {
		services, err := r.servicesOf(ctx, o.Served.Pod)
		if err != nil {
			return o, err
		}
		o.Served.Services = services
	}
	return o, nil
}

// Field returns a field of the object KIND/NAME. path is in kubectl's notation, such as
// {.spec.type}. If it matches several fields, Field joins them with spaces.
func Field(ctx context.Context, env Env, namespace, object, path string) (string, error) {
	wanted, invalid := parseReference(object)
	if invalid != nil {
		return "", invalid
	}
	wanted.SetNamespace(namespace)
	found, err := env.Kube.Get(ctx, wanted)
	if err != nil {
		return "", err
	}
	value, err := fieldOf(found, path)
	if err != nil {
		return "", fmt.Errorf("%s of %s: %w", path, object, err)
	}
	return strings.TrimSpace(value), nil
}
