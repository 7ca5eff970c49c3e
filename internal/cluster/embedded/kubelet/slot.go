package kubelet

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// kind is the part that a container plays in its pod.
type kind int

const (
	initial   kind = iota // an init container
	sidecar               // an init container that goes on running
	app                   // one of spec.containers
	ephemeral             // one that kubectl debug added
)

// slot is the place of one container of a pod: at most one process at a time, and what is known of those before. Only the
// pod's worker touches it.
type slot struct {
	kind kind
	spec *corev1.Container

	busy    bool                // a start is under way
	runs    int                 // how many were started, or failed to start; names files
	running container.Container // nil unless it runs
	image   *container.Image    // of the latest run
	cancel  context.CancelFunc  // ends what belongs to the run: its probes
	stop    *stopping           // not nil while it is being stopped

	// waiting says why it does not run, and later what it will say from then on.
	waiting *corev1.ContainerStateWaiting
	later   *corev1.ContainerStateWaiting
	then    time.Time
	// ended is how the latest run ended, last how the one before did.
	ended, last *corev1.ContainerStateTerminated
	restarts    int32
	// done is that it will never be started again.
	done bool
	// started is that the startup probe, if any, has succeeded; passed that it has done so once, or for an init container,
	// that it has completed: what comes after it may start.
	started, passed bool
	ready           bool

	notBefore time.Time // of the next start
	crashes   backoff
	pulls     backoff
	configs   retry

	log, previousLog string
}

// slots are those of a pod, in the order in which they start.
func slots(pod *corev1.Pod) []*slot {
	var all []*slot
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		k := initial
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

// ephemeralSlots are those for the ephemeral containers that have none yet.
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
	return &slot{kind: k, spec: c, configs: retry{first: time.Second, last: 10 * time.Second}}
}

// fieldPath is how Events name a container of a pod.
func (s *slot) fieldPath() string {
	field := map[kind]string{initial: "initContainers", sidecar: "initContainers", app: "containers", ephemeral: "ephemeralContainers"}
	return fmt.Sprintf("spec.%s{%s}", field[s.kind], s.spec.Name)
}

// idle is that nothing of it runs or is about to.
func (s *slot) idle() bool { return s.running == nil && !s.busy }

// again says whether a container that ended so is started once more
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy).
func (s *slot) again(pod *corev1.Pod, code int32) bool {
	switch s.kind {
	case sidecar:
		return true
	case ephemeral:
		return false
	}
	for _, rule := range s.spec.RestartPolicyRules {
		// The first rule that matches decides. Both actions there are restart it; that one of them also restarts the other
		// containers of the pod is left out.
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
	default: // Always; of an init container, success is the end
		return s.kind != initial || code != 0
	}
}
