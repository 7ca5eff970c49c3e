package kubelet

import "context"

// startProbes begins to probe a container that has just started.
func (w *worker) startProbes(_ context.Context, s *slot) {
	s.started, s.ready = true, s.kind == app || s.kind == sidecar
	s.passed = s.passed || s.kind == sidecar
}
