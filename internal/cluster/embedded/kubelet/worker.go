package kubelet

import (
	"context"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// worker runs one pod. Only its goroutine uses the fields up to view. Other goroutines do slow
// work, and return results with post. After each event, the worker compares the actual state with
// the desired state, and takes the next step.
type worker struct {
	k               *Kubelet
	namespace, name string
	ctx             context.Context //nolint:containedctx // the lifetime of the goroutine
	pod             *corev1.Pod     // the API's latest version
	dir             string
	results         chan func() // results of other goroutines
	done            chan struct{}

	setup    setup
	slots    []*slot
	began    time.Time    // when the node first saw the pod
	end      *termination // nil unless the pod terminates
	terminal bool         // no container of the pod runs again
	status   corev1.PodStatus
	reporter *reporter
	wake     time.Time // when to call step next without an event; zero for never

	view atomic.Pointer[view]

	mu      sync.Mutex
	newer   *corev1.Pod // a newer version that the goroutine has not read yet
	removed bool        // the pod no longer exists in the API
	changed chan struct{}
}

func (k *Kubelet) newWorker(ctx context.Context, pod *corev1.Pod) *worker {
	w := &worker{
		k: k, namespace: pod.Namespace, name: pod.Name, ctx: ctx, pod: pod, dir: k.podDir(pod), results: make(chan func()),
		done: make(chan struct{}), slots: slots(pod), began: time.Now(), changed: make(chan struct{}, 1), setup: newSetup(),
	}
	w.status = *pod.Status.DeepCopy()
	if w.status.StartTime != nil {
		w.began = w.status.StartTime.Time
	}
	w.reporter = newReporter(k, pod)
	w.restore()
	return w
}

func (w *worker) update(pod *corev1.Pod) {
	w.mu.Lock()
	w.newer = pod
	w.mu.Unlock()
	notify(w.changed)
}

func (w *worker) remove() {
	w.mu.Lock()
	w.removed = true
	w.mu.Unlock()
	notify(w.changed)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // a notification is pending
	}
}

// post runs f in the worker's goroutine. It drops f if that goroutine has ended.
func (w *worker) post(f func()) {
	select {
	case w.results <- f:
	case <-w.done:
	}
}

func (w *worker) run() {
	defer close(w.done)
	reporting, stop := context.WithCancel(w.ctx)
	var beside sync.WaitGroup
	beside.Go(func() { w.reporter.run(reporting) })
	defer beside.Wait()
	defer stop()
	for {
		if w.step(time.Now()) {
			w.cleanUp()
			return
		}
		w.publish()
		w.report()
		if !w.listen() {
			return
		}
	}
}

// listen waits for the next event. It reports whether ctx is still active.
func (w *worker) listen() bool {
	var alarm <-chan time.Time
	if !w.wake.IsZero() {
		alarm = time.After(time.Until(w.wake))
	}
	select {
	case <-w.ctx.Done():
		return false
	case <-w.changed:
		w.applyUpdate()
	case f := <-w.results:
		f()
	case <-alarm:
	}
	return true
}

func (w *worker) applyUpdate() {
	w.mu.Lock()
	newer, removed := w.newer, w.removed
	w.newer = nil
	w.mu.Unlock()
	if newer != nil {
		w.pod = newer
		w.reporter.seen(newer)
		w.slots = append(w.slots, ephemeralSlots(newer, w.slots)...)
	}
	w.handleDeletion(removed)
}

// step takes the steps that are due. It reports whether the pod is gone from the API and the node.
func (w *worker) step(now time.Time) (gone bool) {
	w.wake = time.Time{}
	w.enforceDeadline(now)
	for _, s := range w.slots {
		w.advanceStop(s, now)
	}
	switch {
	case w.end != nil:
		w.endContainers()
	case w.terminal:
	case !w.setup.ready:
		w.prepare(now)
	default:
		w.startContainers(now)
		w.refreshVolumes(now)
	}
	w.updateTerminal()
	return w.terminal && w.end != nil && w.end.removed && !w.setup.busy
}

// at ensures that step runs at t or earlier.
func (w *worker) at(t time.Time) {
	if w.wake.IsZero() || t.Before(w.wake) {
		w.wake = t
	}
}

func (w *worker) updateTerminal() {
	if w.terminal || slices.ContainsFunc(w.slots, func(s *slot) bool { return !s.idle() }) {
		return
	}
	if w.end != nil {
		w.terminal = !w.setup.busy
	} else {
		w.terminal = w.completed()
	}
	if w.terminal {
		w.setup.release(w.k)
	}
}

// completed reports whether all app containers, or a failed init container, will not run again.
func (w *worker) completed() bool {
	for _, s := range w.slots {
		switch {
		case s.kind == initContainer && s.done && s.ended.ExitCode != 0:
			return true
		case s.kind == app && !s.done:
			return false
		}
	}
	return true
}

func (w *worker) cleanUp() {
	w.setup.release(w.k)
	if err := os.RemoveAll(w.dir); err != nil {
		w.k.config.Log("node %s: pod %s/%s: %v", w.k.config.Name, w.pod.Namespace, w.pod.Name, err)
	}
}

func (w *worker) event(s *slot, kind, reason, format string, arguments ...any) {
	w.k.podEvent(w.pod, s, kind, reason, format, arguments...)
}

// restore restores the state from the pod's status after the node restarts. All containers have
// ended. They start again if the restart policy allows it.
func (w *worker) restore() {
	status := &w.pod.Status
	for _, s := range w.slots {
		if c := containerStatusOf(status, s.spec.Name); c != nil {
			w.restoreSlot(s, c, isTerminal(status.Phase))
		}
	}
	if isTerminal(status.Phase) {
		w.terminal = true
		for _, s := range w.slots {
			s.done = true
		}
	}
	w.handleDeletion(false)
}

func containerStatusOf(status *corev1.PodStatus, name string) *corev1.ContainerStatus {
	all := slices.Concat(status.InitContainerStatuses, status.ContainerStatuses, status.EphemeralContainerStatuses)
	i := slices.IndexFunc(all, func(c corev1.ContainerStatus) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (w *worker) restoreSlot(s *slot, c *corev1.ContainerStatus, over bool) {
	s.restarts = c.RestartCount
	s.last = c.LastTerminationState.Terminated
	switch {
	case c.State.Terminated != nil:
		s.ended = c.State.Terminated
		s.passed = s.kind == initContainer && s.ended.ExitCode == 0 && over
		if over {
			return
		}
	case c.State.Running != nil:
		s.ended = &corev1.ContainerStateTerminated{
			ExitCode: 255, Reason: "Unknown", StartedAt: c.State.Running.StartedAt, FinishedAt: metav1.NewTime(time.Now()),
			ContainerID: c.ContainerID,
		}
	default:
		s.ended, s.last = s.last, nil
	}
	if over || s.ended == nil {
		return
	}
	// Init containers always run again, because their results might not exist anymore.
	if s.kind != initContainer && s.kind != sidecar && !s.shouldRestart(w.pod, s.ended.ExitCode) {
		s.done = true
	}
}
