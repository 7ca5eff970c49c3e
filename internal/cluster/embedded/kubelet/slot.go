package kubelet

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

type kind int

const (
	initContainer kind = iota // an init container
	sidecar                   // an init container with restartPolicy Always
	app                       // in spec.containers
	ephemeral                 // added by kubectl debug
)

// slot tracks the current and earlier runs of one container of a pod. Only the worker uses it.
type slot struct {
	kind kind
	spec *corev1.Container

	busy    bool                // a start is in progress
	runs    int                 // counts starts, including failed ones; part of file names
	running container.Container // nil unless it runs
	image   *container.Image    // the image of the latest run
	cancel  context.CancelFunc  // stops the probes of the run
	stop    *stopState          // nil unless it is stopping

	waiting *corev1.ContainerStateWaiting // why it does not run
	later   *corev1.ContainerStateWaiting // replaces waiting at the time in then
	then    time.Time

	ended, last *corev1.ContainerStateTerminated // the ends of the latest run and of the run before it
	restarts    int32
	done        bool // it never starts again
	started     bool // the startup probe succeeded in this run
	passed      bool // the next container can start, because this one has started up or completed
	ready       bool

	notBefore time.Time // earliest time of the next start
	crashes   backoff
	pulls     backoff
	configs   wait.Backoff

	log, previousLog string
}

var configDelays = retryDelays(time.Second, 10*time.Second)

func slots(pod *corev1.Pod) []*slot {
	var all []*slot
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		k := initContainer
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			k = sidecar
		}
		all = append(all, newSlot(k, c))
	}
	for i := range pod.Spec.Containers {
		all = append(all, newSlot(app, &pod.Spec.Containers[i]))
	}
	return append(all, ephemeralSlots(pod, nil)...)
}

// ephemeralSlots returns slots for the ephemeral containers that are not in have.
func ephemeralSlots(pod *corev1.Pod, have []*slot) []*slot {
	var added []*slot
	for i := range pod.Spec.EphemeralContainers {
		c := corev1.Container(pod.Spec.EphemeralContainers[i].EphemeralContainerCommon)
		if !slices.ContainsFunc(have, func(s *slot) bool { return s.spec.Name == c.Name }) {
			added = append(added, newSlot(ephemeral, &c))
		}
	}
	return added
}

func newSlot(k kind, c *corev1.Container) *slot {
	return &slot{kind: k, spec: c, configs: configDelays}
}

func (s *slot) fieldPath() string {
	field := map[kind]string{initContainer: "initContainers", sidecar: "initContainers", app: "containers", ephemeral: "ephemeralContainers"}
	return fmt.Sprintf("spec.%s{%s}", field[s.kind], s.spec.Name)
}

func (s *slot) incomplete() bool { return (s.kind == initContainer || s.kind == sidecar) && !s.passed }
func (s *slot) idle() bool       { return s.running == nil && !s.busy }

// shouldRestart reports whether a container with this exit code restarts
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy).
func (s *slot) shouldRestart(pod *corev1.Pod, code int32) bool {
	switch s.kind {
	case sidecar:
		return true
	case ephemeral:
		return false
	}
	for _, rule := range s.spec.RestartPolicyRules {
		// The first matching rule decides. Both of its possible actions restart the container; restarting
		// the pod's other containers is not supported.
		if e := rule.ExitCodes; e != nil && slices.Contains(e.Values, code) == (e.Operator == corev1.ContainerRestartRuleOnExitCodesOpIn) {
			return true
		}
	}
	policy := corev1.ContainerRestartPolicy(pod.Spec.RestartPolicy)
	if s.spec.RestartPolicy != nil {
		policy = *s.spec.RestartPolicy
	}
	switch policy {
	case corev1.ContainerRestartPolicyNever:
		return false
	case corev1.ContainerRestartPolicyOnFailure:
		return code != 0
	default: // Always; an init container ends when it succeeds
		return s.kind != initContainer || code != 0
	}
}

// Back-off delays of a kubelet
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy,
// https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff).
const (
	initialDelay = 10 * time.Second
	maxDelay     = 5 * time.Minute
	resetAfter   = 10 * time.Minute // a container that ran this long restarts without a delay
)

// backoff counts consecutive failures. The zero value means no failure.
type backoff struct{ next time.Duration }

// failed returns the delay after a failure: 10 s at first. It doubles with each call up to 5 min.
func (b *backoff) failed() time.Duration {
	d := max(b.next, initialDelay)
	b.next = min(2*d, maxDelay)
	return d
}

// ended returns the delay after an exit: 0 after the first exit, and then the same as failed.
func (b *backoff) ended(ran time.Duration) time.Duration {
	if b.next == 0 || ran >= resetAfter {
		b.next = initialDelay
		return 0
	}
	return b.failed()
}

// retryDelays returns delays that double from first to last.
func retryDelays(first, last time.Duration) wait.Backoff {
	return wait.Backoff{Duration: first, Factor: 2, Steps: math.MaxInt32, Cap: last}
}
