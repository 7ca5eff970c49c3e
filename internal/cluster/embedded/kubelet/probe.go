package kubelet

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// startProbes begins to probe a container that has just started. ctx ends with the container. While there is a startup probe
// that has not succeeded, there are no others
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#types-of-probe).
func (w *worker) startProbes(ctx context.Context, s *slot) {
	if s.spec.StartupProbe == nil || s.kind == initial || s.kind == ephemeral {
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

// startedUp begins with the other probes.
func (w *worker) startedUp(ctx context.Context, s *slot) {
	s.started = true
	if s.kind == initial || s.kind == ephemeral {
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

// probe runs one probe beside the worker. act hears what it says after counting.
func (w *worker) probe(ctx context.Context, s *slot, name string, spec *corev1.Probe, act func(verdict)) {
	running := s.running
	contact := w.contact(s, running)
	ctx, cancel := context.WithCancel(ctx)
	p := prober{probe: spec, check: contact.check, hurry: name != "Liveness", report: func(o outcome, v verdict) {
		w.post(func() {
			// A pod that is being ended is asked whether it is ready, and nothing else.
			if s.running != running || w.end != nil && name != "Readiness" {
				cancel()
				return
			}
			w.tellProbe(s, name, o)
			act(v)
			if name == "Startup" && s.started {
				cancel()
			}
		})
	}}
	w.k.ended.Go(func() {
		defer cancel()
		p.run(ctx, running.Started())
	})
}

func (w *worker) tellProbe(s *slot, name string, o outcome) {
	switch {
	case o.err != nil:
		w.event(s, corev1.EventTypeWarning, reasonUnhealthy, "%s probe errored and resulted in unknown state: %v", name, o.err)
	case !o.ok:
		w.event(s, corev1.EventTypeWarning, reasonUnhealthy, "%s probe failed: %s", name, o.note)
	case o.note != "":
		w.event(s, corev1.EventTypeWarning, reasonProbeWarning, "%s probe warning: %s", name, o.note)
	}
}

// unhealthy stops a container because of a probe; what its end means is decided when it has ended.
func (w *worker) unhealthy(s *slot, name string, spec *corev1.Probe) {
	grace := w.grace()
	if own := spec.TerminationGracePeriodSeconds; own != nil {
		grace = max(shortestGrace, time.Duration(*own)*time.Second)
	}
	message := fmt.Sprintf("Container %s failed %s probe", s.spec.Name, name)
	if s.again(w.pod, 1) {
		message += ", will be restarted"
	}
	w.stopSlot(s, grace, message)
}
