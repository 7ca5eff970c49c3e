package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/podspec"
)

// These are the reasons of waiting containers.
const (
	waitErrPull     = "ErrImagePull"
	waitPullBackOff = "ImagePullBackOff"
	// backOffAfter is how long a failed pull keeps its own reason before ImagePullBackOff replaces it.
	backOffAfter = 3 * time.Second
	// terminatedFor is how long an exited container is "terminated" before it is in CrashLoopBackOff.
	terminatedFor = time.Second
)

// startContainers starts the next container in the order of the manifest. Like a kubelet, it starts
// one at a time
// (https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#detailed-behavior).
func (w *worker) startContainers(now time.Time) {
	if slices.ContainsFunc(w.slots, func(s *slot) bool { return s.busy }) {
		return
	}
	if w.completed() { // only sidecars run
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
		case s.kind == ephemeral, s.kind == initContainer && s.passed:
			continue
		case w.ensure(s, now), s.kind != app && !s.passed:
			return
		}
	}
}

func (w *worker) initialized() bool { return !slices.ContainsFunc(w.slots, (*slot).incomplete) }

// ensure starts a container when it is due. It reports whether a start is in progress.
func (w *worker) ensure(s *slot, now time.Time) bool {
	if !s.idle() || s.done {
		return s.busy
	}
	if s.later != nil && !now.Before(s.then) {
		w.reportBackOff(s)
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

func (w *worker) reportBackOff(s *slot) {
	s.waiting, s.later = s.later, nil
	if s.waiting.Reason == waitPullBackOff {
		w.event(s, corev1.EventTypeNormal, "BackOff", "Back-off pulling image %q", s.spec.Image)
		w.event(s, corev1.EventTypeWarning, reasonFailed, "Error: %s", waitPullBackOff)
	}
}

// imageArrived reports whether a missing image is now in the store. Then it ends the back-off.
func (w *worker) imageArrived(s *slot, now time.Time) bool {
	if s.waiting == nil || s.waiting.Reason != waitPullBackOff && s.waiting.Reason != waitErrPull {
		return false
	}
	w.at(now.Add(2 * time.Second))
	_, err := w.k.config.Images.Find(s.spec.Image)
	return err == nil
}

// attempt is one start of a container, in its own goroutine.
type attempt struct {
	k       *Kubelet
	pod     *corev1.Pod
	slot    *slot // only for Events, because the worker owns it
	spec    *corev1.Container
	p       podspec.Pod
	network int
	dir     string // the directory of the container's files
	run     int
}

type startResult struct {
	container container.Container
	image     *container.Image
	waiting   *corev1.ContainerStateWaiting
	failed    error
}

func (w *worker) launch(s *slot) {
	s.busy = true
	a := attempt{
		k: w.k, pod: w.pod, slot: s, spec: s.spec, p: podspec.Pod{Pod: w.pod, Address: w.setup.address, Dir: w.dir},
		network: w.setup.namespace.FD(), dir: filepath.Join(w.dir, "containers", s.spec.Name), run: s.runs,
	}
	w.k.goroutines.Go(func() {
		result := a.start(w.ctx)
		w.post(func() { w.launched(s, &a, result) })
	})
}

func (a *attempt) start(ctx context.Context) startResult {
	image, waiting := a.image()
	if waiting != nil {
		return startResult{waiting: waiting}
	}
	failed := func(err error) { a.event(corev1.EventTypeWarning, reasonFailed, "Error: %v", err) }
	spec, err := a.render(ctx)
	if err == nil {
		err = podspec.CheckUser(a.pod, a.spec, image)
	}
	if err != nil {
		failed(err)
		return startResult{waiting: &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: err.Error()}}
	}
	spec.Image, spec.Network, spec.Log, spec.Dir = image, a.network, a.log(a.run), a.root()
	if err := a.files(&spec); err != nil {
		failed(err)
		return startResult{waiting: &corev1.ContainerStateWaiting{Reason: "CreateContainerError", Message: err.Error()}}
	}
	c, err := a.k.config.Runtime.Start(ctx, spec)
	a.event(corev1.EventTypeNormal, "Created", "Container created")
	if err != nil {
		failed(err)
		return startResult{image: image, failed: err}
	}
	a.event(corev1.EventTypeNormal, "Started", "Container started")
	return startResult{container: c, image: image}
}

// render retries, because the node authorizer can allow access to a Secret after a delay.
func (a *attempt) render(ctx context.Context) (spec container.Spec, err error) {
	err = retryQuietly(ctx, func() (err error) {
		spec, err = a.k.manifests.Render(ctx, a.p, a.spec)
		return err
	})
	return spec, err
}

func (a *attempt) root() string       { return filepath.Join(a.dir, strconv.Itoa(a.run)) }
func (a *attempt) message() string    { return filepath.Join(a.dir, strconv.Itoa(a.run)+".message") }
func (a *attempt) log(run int) string { return filepath.Join(a.dir, strconv.Itoa(run)+".log") }

// files creates the container's directory, log, and termination message file.
func (a *attempt) files(spec *container.Spec) error {
	if err := os.RemoveAll(a.root()); err != nil {
		return err
	}
	if err := os.MkdirAll(a.root(), 0o755); err != nil {
		return err
	}
	_ = os.Remove(a.log(a.run - 2)) // kubectl logs --previous reads only the previous run
	if err := os.WriteFile(a.log(a.run), nil, 0o644); err != nil {
		return err
	}
	if a.spec.TerminationMessagePath == "" {
		return nil
	}
	if err := os.WriteFile(a.message(), nil, 0o666); err != nil {
		return err
	}
	// The container's user must be able to write, regardless of the umask.
	if err := os.Chmod(a.message(), 0o666); err != nil {
		return err
	}
	spec.Mounts = append(spec.Mounts, container.Mount{Source: a.message(), Target: a.spec.TerminationMessagePath})
	return nil
}

func (a *attempt) event(kind, reason, format string, arguments ...any) {
	a.k.podEvent(a.pod, a.slot, kind, reason, format, arguments...)
}

func (w *worker) launched(s *slot, a *attempt, r startResult) {
	if r.image != nil {
		s.image = r.image
	}
	if r.waiting != nil {
		s.busy = false
		w.waitToStart(s, r.waiting)
		return
	}
	if s.ended != nil {
		s.last = s.ended
		s.restarts++
	}
	s.previousLog, s.log = s.log, a.log(a.run)
	s.runs++
	s.pulls, s.configs = backoff{}, configDelays
	if r.failed != nil {
		s.busy = false
		w.failedToStart(s, r.failed)
		return
	}
	s.ended, s.later = nil, nil
	s.running = r.container
	ctx, cancel := context.WithCancel(w.ctx)
	s.cancel = cancel
	w.k.goroutines.Go(func() { a.watch(w, s, r.container) })
	if hook := s.spec.Lifecycle; hook != nil && hook.PostStart != nil && w.end == nil {
		target := w.target(s, r.container)
		w.k.goroutines.Go(func() {
			err := target.hook(ctx, hook.PostStart)
			w.post(func() { w.postStarted(ctx, s, r.container, err) })
		})
		return
	}
	w.markRunning(ctx, s)
}

// postStarted continues after the postStart hook. The container is not running before that
// (https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/#hook-handler-execution).
func (w *worker) postStarted(ctx context.Context, s *slot, c container.Container, err error) {
	if s.running != c {
		s.busy = false // it has exited
		return
	}
	if err != nil {
		w.event(s, corev1.EventTypeWarning, "FailedPostStartHook", "PostStartHook failed")
		w.stopSlot(s, w.grace(), fmt.Sprintf("Container %s failed its postStart hook", s.spec.Name))
	}
	w.markRunning(ctx, s)
}

func (w *worker) markRunning(ctx context.Context, s *slot) {
	s.busy, s.waiting = false, nil
	w.startProbes(ctx, s)
}

func (w *worker) waitToStart(s *slot, why *corev1.ContainerStateWaiting) {
	now := time.Now()
	s.waiting, s.later = why, nil
	switch why.Reason {
	case waitErrPull:
		s.notBefore = now.Add(s.pulls.failed())
		s.then = now.Add(backOffAfter)
		s.later = &corev1.ContainerStateWaiting{
			Reason: waitPullBackOff, Message: fmt.Sprintf("Back-off pulling image %q: %s: %s", s.spec.Image, waitErrPull, why.Message),
		}
	default:
		s.notBefore = now.Add(s.configs.Step())
	}
}

// failedToStart treats a start error like an exit with code 128.
func (w *worker) failedToStart(s *slot, err error) {
	now := metav1.NewTime(time.Now())
	s.ended = &corev1.ContainerStateTerminated{
		ExitCode: 128, Reason: "StartError", Message: err.Error(), StartedAt: metav1.Unix(0, 0), FinishedAt: now,
	}
	w.decideRestart(s, 0)
	if !s.done {
		s.waiting = &corev1.ContainerStateWaiting{Reason: "RunContainerError", Message: err.Error()}
		s.then = now.Add(backOffAfter)
	}
}

// image finds the image. It records the same Events as a pull.
func (a *attempt) image() (*container.Image, *corev1.ContainerStateWaiting) {
	image, err := a.k.config.Images.Find(a.spec.Image)
	if err == nil {
		a.event(corev1.EventTypeNormal, "Pulled",
			"Container image %q already present on machine and can be accessed by the pod", a.spec.Image)
		return image, nil
	}
	waiting := &corev1.ContainerStateWaiting{Reason: waitErrPull, Message: err.Error()}
	var invalid *container.InvalidImageError
	switch {
	case errors.As(err, &invalid):
		waiting.Reason = "InvalidImageName"
		a.event(corev1.EventTypeWarning, "InspectFailed", "%v", err)
	case a.spec.ImagePullPolicy == corev1.PullNever:
		waiting.Reason = "ErrImageNeverPull"
		waiting.Message = fmt.Sprintf("Container image %q is not present with pull policy of Never", a.spec.Image)
		a.event(corev1.EventTypeWarning, "ErrImageNeverPull", "%s", waiting.Message)
	default:
		a.event(corev1.EventTypeNormal, "Pulling", "Pulling image %q", a.spec.Image)
		a.event(corev1.EventTypeWarning, reasonFailed, "Failed to pull image %q: %v", a.spec.Image, err)
	}
	a.event(corev1.EventTypeWarning, reasonFailed, "Error: %s", waiting.Reason)
	return nil, waiting
}
