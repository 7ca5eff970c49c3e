package kubelet

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	defaultPeriod = 10 * time.Second
	firstHurry    = 25 * time.Millisecond
	longestHurry  = 10 * time.Second
)

// prober repeats one probe of one container while that runs.
type prober struct {
	probe *corev1.Probe
	check func(context.Context, *corev1.Probe) outcome
	// hurry is for probes that a pod's start waits for. A kubelet whose first probe comes before the process listens lets a
	// whole period pass. Here, until the first period is over, a probe that fails does not count and comes again soon.
	hurry bool
	// report hears of every outcome that counts, and of what it makes of the thresholds.
	report func(o outcome, v verdict)
}

// verdict is what a probe says after counting.
type verdict int

const (
	unchanged verdict = iota // the threshold is not reached
	succeeded
	failed
)

func (p *prober) period() time.Duration {
	if s := p.probe.PeriodSeconds; s > 0 {
		return time.Duration(s) * time.Second
	}
	return defaultPeriod
}

// run probes until ctx ends. since is when the container started.
func (p *prober) run(ctx context.Context, since time.Time) {
	next := since.Add(time.Duration(p.probe.InitialDelaySeconds) * time.Second)
	hurryUntil := since.Add(min(p.period(), longestHurry))
	soon := retry{first: firstHurry, last: p.period()}
	count := tally{success: int(max(1, p.probe.SuccessThreshold)), failure: failureThreshold(p.probe)}
	for pause(ctx, time.Until(next)) {
		begun := time.Now()
		o := p.check(ctx, p.probe)
		if ctx.Err() != nil {
			return
		}
		if again := time.Now().Add(soon.delay()); p.hurry && !o.ok && p.probe.InitialDelaySeconds == 0 && again.Before(hurryUntil) {
			next = again
			continue
		}
		p.report(o, count.add(o.ok))
		next = begun.Add(p.period())
	}
}

func failureThreshold(p *corev1.Probe) int {
	if p.FailureThreshold > 0 {
		return int(p.FailureThreshold)
	}
	return 3 // the API's default
}

// tally counts outcomes that follow each other.
type tally struct {
	success, failure int // thresholds
	ok               bool
	run              int
}

func (t *tally) add(ok bool) verdict {
	if ok != t.ok {
		t.ok, t.run = ok, 0
	}
	t.run++
	switch {
	case ok && t.run >= t.success:
		return succeeded
	case !ok && t.run >= t.failure:
		return failed
	}
	return unchanged
}
