package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/podspec"
)

// Reasons for which a container waits.
const (
	waitCreating     = "ContainerCreating"
	waitInitializing = "PodInitializing"
	waitErrPull      = "ErrImagePull"
	waitPullBackOff  = "ImagePullBackOff"
	waitNeverPull    = "ErrImageNeverPull"
	waitInvalidImage = "InvalidImageName"
	waitConfig       = "CreateContainerConfigError"
	waitRun          = "RunContainerError"
	waitCrashLoop    = "CrashLoopBackOff"
	// calledBackOff is how long a failure is called by its own name before it is called a back-off.
	calledBackOff = 3 * time.Second
	// seenEnded is how long a container that will be started again is reported as terminated before it is one that waits.
	seenEnded = time.Second
)

// startContainers starts what should run and does not, in the order of the manifest
// (https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#detailed-behavior). Like a kubelet it starts one
// container after the other.
func (w *worker) startContainers(now time.Time) {
	for _, s := range w.slots {
		if s.busy {
			return
		}
	}
	if w.finished() { // only sidecars are left
		w.stopSidecars(w.grace())
		return
	}
	for _, s := range w.slots {
		if s.kind == ephemeral && w.ensure(s, now) {
			return
		}
	}
	for _, s := range w.slots {
		switch {
		case s.kind == ephemeral, s.kind == initial && s.passed:
			continue
		case w.ensure(s, now), s.kind != app && !s.passed:
			return
		}
	}
}

// initialized is that every init container has passed.
func (w *worker) initialized() bool {
	for _, s := range w.slots {
		if (s.kind == initial || s.kind == sidecar) && !s.passed {
			return false
		}
	}
	return true
}

// ensure starts a container, if it is to run and its time has come. It returns true when a start is under way.
func (w *worker) ensure(s *slot, now time.Time) bool {
	if !s.idle() || s.done {
		return s.busy
	}
	if s.later != nil && !now.Before(s.then) {
		w.callBackOff(s)
	}
	if s.later != nil {
		w.at(s.then)
	}
	if now.Before(s.notBefore) && !w.imageArrived(s, now) {
		w.at(s.notBefore)
		return false
	}
	w.launch(s)
	return true
}

func (w *worker) callBackOff(s *slot) {
	s.waiting, s.later = s.later, nil
	if s.waiting.Reason == waitPullBackOff {
		w.event(s, corev1.EventTypeNormal, reasonBackOff, "Back-off pulling image %q", s.spec.Image)
		w.event(s, corev1.EventTypeWarning, reasonFailed, "Error: %s", waitPullBackOff)
	}
}

// imageArrived ends the wait for an image that was loaded in the meantime: who has just loaded it should not wait for a
// back-off that spares a registry.
func (w *worker) imageArrived(s *slot, now time.Time) bool {
	if s.waiting == nil || s.waiting.Reason != waitPullBackOff && s.waiting.Reason != waitErrPull {
		return false
	}
	w.at(now.Add(2 * time.Second))
	_, err := w.k.config.Images.Find(s.spec.Image)
	return err == nil
}

// attempt is one try to start a container, made beside the worker.
type attempt struct {
	k       *Kubelet
	pod     *corev1.Pod
	slot    *slot // for Events only: the rest of it is the worker's
	spec    *corev1.Container
	p       podspec.Pod
	network int
	dir     string // of the container
	run     int
}

// attempted is what came of it: a container, or why there is none.
type attempted struct {
	container container.Container
	image     *container.Image
	waiting   *corev1.ContainerStateWaiting
	// failed is that there was a container that did not start.
	failed error
}

func (w *worker) launch(s *slot) {
	s.busy = true
	a := attempt{
		k: w.k, pod: w.pod, slot: s, spec: s.spec, p: podspec.Pod{Pod: w.pod, Address: w.setup.address, Dir: w.dir},
		network: w.setup.namespace.FD(), dir: filepath.Join(w.dir, "containers", s.spec.Name), run: s.runs,
	}
	w.k.ended.Go(func() {
		result := a.start(w.ctx)
		w.post(func() { w.launched(s, &a, result) })
	})
}

func (a *attempt) start(ctx context.Context) attempted {
	image, waiting := a.image()
	if waiting != nil {
		return attempted{waiting: waiting}
	}
	spec, err := a.render(ctx)
	if err == nil {
		err = podspec.CheckUser(a.pod, a.spec, image)
	}
	if err != nil {
		a.event(corev1.EventTypeWarning, reasonFailed, "Error: %v", err)
		return attempted{waiting: &corev1.ContainerStateWaiting{Reason: waitConfig, Message: err.Error()}}
	}
	spec.Image, spec.Network, spec.Log, spec.Dir = image, a.network, a.log(a.run), a.root()
	if err := a.files(&spec); err != nil {
		a.event(corev1.EventTypeWarning, reasonFailed, "Error: %v", err)
		return attempted{waiting: &corev1.ContainerStateWaiting{Reason: "CreateContainerError", Message: err.Error()}}
	}
	c, err := a.k.config.Runtime.Start(ctx, spec)
	a.event(corev1.EventTypeNormal, reasonCreated, "Container created")
	if err != nil {
		a.event(corev1.EventTypeWarning, reasonFailed, "Error: %v", err)
		return attempted{image: image, failed: err}
	}
	a.event(corev1.EventTypeNormal, reasonStarted, "Container started")
	return attempted{container: c, image: image}
}

// render persists because a node may learn a moment late that it may read a Secret.
func (a *attempt) render(ctx context.Context) (spec container.Spec, err error) {
	err = persist(ctx, func() (err error) {
		spec, err = a.k.manifests.Render(ctx, a.p, a.spec)
		return err
	})
	return spec, err
}

func (a *attempt) root() string       { return filepath.Join(a.dir, strconv.Itoa(a.run)) }
func (a *attempt) message() string    { return filepath.Join(a.dir, strconv.Itoa(a.run)+".message") }
func (a *attempt) log(run int) string { return filepath.Join(a.dir, strconv.Itoa(run)+".log") }

// files makes what the container is started with: its directory, its log, and the file for its last words
// (https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/).
func (a *attempt) files(spec *container.Spec) error {
	if err := os.RemoveAll(a.root()); err != nil {
		return err
	}
	if err := os.MkdirAll(a.root(), 0o755); err != nil {
		return err
	}
	_ = os.Remove(a.log(a.run - 2)) // kubectl logs --previous reaches back one run
	if err := os.WriteFile(a.log(a.run), nil, 0o644); err != nil {
		return err
	}
	if a.spec.TerminationMessagePath == "" {
		return nil
	}
	if err := os.WriteFile(a.message(), nil, 0o666); err != nil {
		return err
	}
	// Whoever the container runs as may write; the umask must not say otherwise.
	if err := os.Chmod(a.message(), 0o666); err != nil {
		return err
	}
	spec.Mounts = append(spec.Mounts, container.Mount{Source: a.message(), Target: a.spec.TerminationMessagePath})
	return nil
}

func (a *attempt) event(kind, reason, format string, arguments ...any) {
	a.k.podEvent(a.pod, a.slot, kind, reason, format, arguments...)
}

// launched takes the result of an attempt.
func (w *worker) launched(s *slot, a *attempt, r attempted) {
	if r.image != nil {
		s.image = r.image
	}
	if r.waiting != nil {
		s.busy = false
		w.waits(s, r.waiting)
		return
	}
	if s.ended != nil {
		s.last = s.ended
		s.restarts++
	}
	s.previousLog, s.log = s.log, a.log(a.run)
	s.runs++
	s.pulls, s.configs.now = backoff{}, 0
	if r.failed != nil {
		s.busy = false
		w.failedToStart(s, r.failed)
		return
	}
	s.ended, s.later = nil, nil
	s.running = r.container
	ctx, cancel := context.WithCancel(w.ctx)
	s.cancel = cancel
	w.k.ended.Go(func() { a.watch(w, s, r.container) })
	if hook := s.spec.Lifecycle; hook != nil && hook.PostStart != nil && w.end == nil {
		contact := w.contact(s, r.container)
		w.k.ended.Go(func() {
			err := contact.hook(ctx, hook.PostStart)
			w.post(func() { w.postStarted(ctx, s, r.container, err) })
		})
		return
	}
	w.runs(ctx, s)
}

// postStarted goes on when the hook has come back. Until then the container does not count as running
// (https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/#hook-handler-execution).
func (w *worker) postStarted(ctx context.Context, s *slot, c container.Container, err error) {
	if s.running != c {
		s.busy = false // it has ended meanwhile
		return
	}
	if err != nil {
		w.event(s, corev1.EventTypeWarning, reasonPostStartFailed, "PostStartHook failed")
		w.stopSlot(s, w.grace(), fmt.Sprintf("Container %s failed its postStart hook", s.spec.Name))
	}
	w.runs(ctx, s)
}

// runs is when a container counts as running.
func (w *worker) runs(ctx context.Context, s *slot) {
	s.busy, s.waiting = false, nil
	w.startProbes(ctx, s)
}

// waits makes the slot wait for the next attempt.
func (w *worker) waits(s *slot, why *corev1.ContainerStateWaiting) {
	now := time.Now()
	s.waiting, s.later = why, nil
	switch why.Reason {
	case waitErrPull:
		s.notBefore = now.Add(s.pulls.failed())
		s.then = now.Add(calledBackOff)
		s.later = &corev1.ContainerStateWaiting{
			Reason: waitPullBackOff, Message: fmt.Sprintf("Back-off pulling image %q: %s: %s", s.spec.Image, waitErrPull, why.Message),
		}
	default:
		s.notBefore = now.Add(s.configs.delay())
	}
}

// failedToStart treats a container that did not even start as one that has ended.
func (w *worker) failedToStart(s *slot, err error) {
	now := metav1.NewTime(time.Now())
	s.ended = &corev1.ContainerStateTerminated{
		ExitCode: 128, Reason: "StartError", Message: err.Error(), StartedAt: metav1.Unix(0, 0), FinishedAt: now,
	}
	w.decide(s, 0)
	if !s.done {
		s.waiting = &corev1.ContainerStateWaiting{Reason: waitRun, Message: err.Error()}
		s.then = now.Add(calledBackOff)
	}
}

// image finds the image, and tells it as a kubelet tells that it pulls.
func (a *attempt) image() (*container.Image, *corev1.ContainerStateWaiting) {
	image, err := a.k.config.Images.Find(a.spec.Image)
	if err == nil {
		a.event(corev1.EventTypeNormal, reasonPulled,
			"Container image %q already present on machine and can be accessed by the pod", a.spec.Image)
		return image, nil
	}
	waiting := &corev1.ContainerStateWaiting{Reason: waitErrPull, Message: err.Error()}
	var invalid *container.InvalidImageError
	switch {
	case errors.As(err, &invalid):
		waiting.Reason = waitInvalidImage
		a.event(corev1.EventTypeWarning, reasonInspectFailed, "%v", err)
	case a.spec.ImagePullPolicy == corev1.PullNever:
		waiting.Reason = waitNeverPull
		waiting.Message = fmt.Sprintf("Container image %q is not present with pull policy of Never", a.spec.Image)
		a.event(corev1.EventTypeWarning, reasonNeverPull, "%s", waiting.Message)
	default:
		a.event(corev1.EventTypeNormal, reasonPulling, "Pulling image %q", a.spec.Image)
		a.event(corev1.EventTypeWarning, reasonFailed, "Failed to pull image %q: %v", a.spec.Image, err)
	}
	a.event(corev1.EventTypeWarning, reasonFailed, "Error: %s", waiting.Reason)
	return nil, waiting
}
