package kubelet

import (
	"cmp"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// startProbes starts the probes of a container. ctx must end with the container. The startup probe
// delays the other probes until it succeeds
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#types-of-probe).
func (w *worker) startProbes(ctx context.Context, s *slot) {
	if s.spec.StartupProbe == nil || s.kind == initContainer || s.kind == ephemeral {
		w.startedUp(ctx, s)
		return
	}
	w.probe(ctx, s, "Startup", s.spec.StartupProbe, func(v verdict) {
		switch {
		case v == succeeded && !s.started:
			w.startedUp(ctx, s)
		case v == failed && !s.started:
			w.unhealthy(s, "startup", s.spec.StartupProbe)
		}
	})
}

func (w *worker) startedUp(ctx context.Context, s *slot) {
	s.started = true
	if s.kind == initContainer || s.kind == ephemeral {
		return
	}
	s.passed = true
	if s.spec.ReadinessProbe == nil {
		s.ready = true
	} else {
		w.probe(ctx, s, "Readiness", s.spec.ReadinessProbe, func(v verdict) {
			if v != unchanged {
				s.ready = v == succeeded
			}
		})
	}
	if s.spec.LivenessProbe != nil {
		w.probe(ctx, s, "Liveness", s.spec.LivenessProbe, func(v verdict) {
			if v == failed {
				w.unhealthy(s, "liveness", s.spec.LivenessProbe)
			}
		})
	}
}

// probe repeats a probe in a goroutine, and calls act with each verdict.
func (w *worker) probe(ctx context.Context, s *slot, name string, spec *corev1.Probe, act func(verdict)) {
	running := s.running
	target := w.target(s, running)
	ctx, cancel := context.WithCancel(ctx)
	p := prober{probe: spec, check: target.check, retryEarly: name != "Liveness", report: func(o outcome, v verdict) {
		w.post(func() {
			// While a pod terminates, only its readiness probe runs.
			if s.running != running || w.end != nil && name != "Readiness" {
				cancel()
				return
			}
			w.recordOutcome(s, name, o)
			act(v)
			if name == "Startup" && s.started {
				cancel()
			}
		})
	}}
	w.k.goroutines.Go(func() {
		defer cancel()
		p.run(ctx, running.Started())
	})
}

func (w *worker) recordOutcome(s *slot, name string, o outcome) {
	switch {
	case o.err != nil:
		w.event(s, corev1.EventTypeWarning, "Unhealthy", "%s probe errored and resulted in unknown state: %v", name, o.err)
	case !o.ok:
		w.event(s, corev1.EventTypeWarning, "Unhealthy", "%s probe failed: %s", name, o.note)
	case o.note != "":
		w.event(s, corev1.EventTypeWarning, "ProbeWarning", "%s probe warning: %s", name, o.note)
	}
}

// unhealthy stops a container after a failed probe. Its restart policy decides about the restart.
func (w *worker) unhealthy(s *slot, name string, spec *corev1.Probe) {
	grace := w.grace()
	if own := spec.TerminationGracePeriodSeconds; own != nil {
		grace = max(shortestGrace, time.Duration(*own)*time.Second)
	}
	message := fmt.Sprintf("Container %s failed %s probe", s.spec.Name, name)
	if s.shouldRestart(w.pod, 1) {
		message += ", will be restarted"
	}
	w.stopSlot(s, grace, message)
}

const (
	firstRetry  = 25 * time.Millisecond
	retryWindow = 10 * time.Second
)

type prober struct {
	probe *corev1.Probe
	check func(context.Context, *corev1.Probe) outcome
	// retryEarly repeats a failed probe early in the first period (10 s at most) and does not count
	// it. A kubelet would wait a whole period if its first probe runs before the process listens.
	retryEarly bool
	// report receives each counted outcome, and its verdict: whether it reaches a threshold.
	report func(o outcome, v verdict)
}

type verdict int

const (
	unchanged verdict = iota // below the threshold
	succeeded
	failed
)

func (p *prober) period() time.Duration {
	return time.Duration(cmp.Or(p.probe.PeriodSeconds, 10)) * time.Second // the API's default
}

func (p *prober) run(ctx context.Context, since time.Time) {
	next := since.Add(time.Duration(p.probe.InitialDelaySeconds) * time.Second)
	retryUntil := since.Add(min(p.period(), retryWindow))
	soon := retryDelays(firstRetry, p.period())
	count := streak{success: int(max(1, p.probe.SuccessThreshold)), failure: int(cmp.Or(p.probe.FailureThreshold, 3))}
	for pause(ctx, time.Until(next)) {
		begun := time.Now()
		o := p.check(ctx, p.probe)
		if ctx.Err() != nil {
			return
		}
		if again := time.Now().Add(soon.Step()); p.retryEarly && !o.ok && p.probe.InitialDelaySeconds == 0 && again.Before(retryUntil) {
			next = again
			continue
		}
		p.report(o, count.add(o.ok))
		next = begun.Add(p.period())
	}
}

type streak struct {
	success, failure int // thresholds
	ok               bool
	run              int
}

func (t *streak) add(ok bool) verdict {
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
