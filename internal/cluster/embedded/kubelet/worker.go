package kubelet

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// worker owns one pod. Its goroutine alone reads and writes the fields; what takes time runs in goroutines of its own, which
// hand their results back with post. After everything that happens it compares what is with what should be and
// takes the next step, so that no order of events needs a case of its own.
type worker struct {
	k               *Kubelet
	namespace, name string
	ctx             context.Context //nolint:containedctx // the life of the pod on this node, which is that of the goroutine
	pod             *corev1.Pod     // as the API had it last
	dir             string
	back            chan func() // results of what runs beside
	done            chan struct{}

	setup setup
	slots []*slot
	// began is when the node first saw the pod.
	began time.Time
	// end is why and how the pod is being ended; nil while it lives.
	end *ending
	// terminal is that nothing of the pod will run again.
	terminal bool
	status   corev1.PodStatus
	reporter *reporter
	wake     time.Time // when to look again although nothing has happened; zero for never

	view atomic.Pointer[view] // for those who ask from outside

	mu      sync.Mutex
	news    *corev1.Pod // a newer pod that the goroutine has not taken yet
	removed bool        // the pod is no longer in the API
	changed chan struct{}
}

func (k *Kubelet) newWorker(ctx context.Context, pod *corev1.Pod) *worker {
	w := &worker{
		k: k, namespace: pod.Namespace, name: pod.Name, ctx: ctx, pod: pod, dir: k.podDir(pod), back: make(chan func()), done: make(chan struct{}),
		slots: slots(pod), began: time.Now(), changed: make(chan struct{}, 1),
		setup: newSetup(),
	}
	w.status = *pod.Status.DeepCopy()
	if w.status.StartTime != nil {
		w.began = w.status.StartTime.Time
	}
	w.reporter = newReporter(k, pod)
	w.remember()
	return w
}

// update hands a newer version of the pod to the worker.
func (w *worker) update(pod *corev1.Pod) {
	w.mu.Lock()
	w.news = pod
	w.mu.Unlock()
	w.notify()
}

// remove tells the worker that the pod is gone from the API.
func (w *worker) remove() {
	w.mu.Lock()
	w.removed = true
	w.mu.Unlock()
	w.notify()
}

func (w *worker) notify() {
	select {
	case w.changed <- struct{}{}:
	default: // it has been told, and has not looked yet
	}
}

// post runs f in the worker's goroutine, unless that has ended.
func (w *worker) post(f func()) {
	select {
	case w.back <- f:
	case <-w.done:
	}
}

// run is the life of the pod on this node. It returns when everything of the pod is gone, or when ctx ends.
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

// listen waits until there is something to do. It returns false when ctx has ended.
func (w *worker) listen() bool {
	var alarm <-chan time.Time
	if !w.wake.IsZero() {
		t := time.NewTimer(time.Until(w.wake))
		defer t.Stop()
		alarm = t.C
	}
	select {
	case <-w.ctx.Done():
		return false
	case <-w.changed:
		w.takeNews()
	case f := <-w.back:
		f()
	case <-alarm:
	}
	return true
}

func (w *worker) takeNews() {
	w.mu.Lock()
	news, removed := w.news, w.removed
	w.news = nil
	w.mu.Unlock()
	if news != nil {
		w.pod = news
		w.reporter.seen(news)
		w.slots = append(w.slots, ephemeralSlots(news, w.slots)...)
	}
	w.noticeDeletion(removed)
}

// step does what can be done now. It returns true when the pod is gone from the API and nothing of it is left.
func (w *worker) step(now time.Time) (gone bool) {
	w.wake = time.Time{}
	w.enforceDeadline(now)
	for _, s := range w.slots {
		w.driveStop(s, now)
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
	w.settle()
	return w.terminal && w.end != nil && w.end.removed && !w.setup.busy
}

// at makes sure that step runs at t, or before.
func (w *worker) at(t time.Time) {
	if w.wake.IsZero() || t.Before(w.wake) {
		w.wake = t
	}
}

// settle finds out whether the pod has come to its end.
func (w *worker) settle() {
	if w.terminal || !w.allIdle(w.slots) {
		return
	}
	if w.end != nil {
		w.terminal = !w.setup.busy
	} else {
		w.terminal = w.finished()
	}
	if w.terminal {
		w.setup.release(w.k)
	}
}

// finished is that every container has ended for good. Sidecars end after the others, see startContainers.
func (w *worker) finished() bool {
	for _, s := range w.slots {
		switch {
		case s.kind == initial && s.done && s.ended.ExitCode != 0:
			return true // the pod has failed before it began
		case s.kind == app && !s.done:
			return false
		}
	}
	return true
}

func (w *worker) allIdle(slots []*slot) bool {
	for _, s := range slots {
		if !s.idle() {
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

// event tells about a container of the pod, or about the pod if s is nil.
func (w *worker) event(s *slot, kind, reason, format string, arguments ...any) {
	w.k.podEvent(w.pod, s, kind, reason, format, arguments...)
}
