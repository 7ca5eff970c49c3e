package kubelet

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reasons of conditions (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions).
const (
	conditionCompleted      = "PodCompleted"
	conditionFailed         = "PodFailed"
	conditionNotReady       = "ContainersNotReady"
	conditionNotInitialized = "ContainersNotInitialized"
	conditionGates          = "ReadinessGatesNotReady"
)

// setConditions adds the conditions that are the node's to say. Others' are not in the status: they stay as they are in the
// API.
func (w *worker) setConditions(status *corev1.PodStatus, now metav1.Time) {
	ready := w.containersReady(status.Phase)
	network := corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: truth(w.setup.ready)}
	for _, c := range []corev1.PodCondition{
		network, w.initializedCondition(status.Phase), w.podReady(ready), ready,
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
	} {
		c.ObservedGeneration = w.pod.Generation
		c.LastTransitionTime = now
		before := condition(w.status.Conditions, c.Type)
		if before == nil {
			before = condition(w.pod.Status.Conditions, c.Type)
		}
		if before != nil && before.Status == c.Status {
			c.LastTransitionTime = before.LastTransitionTime
		}
		status.Conditions = append(status.Conditions, c)
	}
}

func truth(b bool) corev1.ConditionStatus {
	if b {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

func condition(all []corev1.PodCondition, t corev1.PodConditionType) *corev1.PodCondition {
	i := slices.IndexFunc(all, func(c corev1.PodCondition) bool { return c.Type == t })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (w *worker) containersReady(phase corev1.PodPhase) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionFalse}
	switch phase {
	case corev1.PodSucceeded:
		c.Reason = conditionCompleted
		return c
	case corev1.PodFailed:
		c.Reason = conditionFailed
		return c
	}
	var unready []string
	for _, s := range w.slots {
		if (s.kind == app || s.kind == sidecar) && !s.ready {
			unready = append(unready, s.spec.Name)
		}
	}
	if len(unready) > 0 {
		c.Reason, c.Message = conditionNotReady, fmt.Sprintf("containers with unready status: %v", unready)
		return c
	}
	c.Status = corev1.ConditionTrue
	return c
}

// podReady is that of the containers and of the readiness gates together
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate).
func (w *worker) podReady(containers corev1.PodCondition) corev1.PodCondition {
	c := containers
	c.Type = corev1.PodReady
	if c.Status != corev1.ConditionTrue {
		return c
	}
	var missing []string
	for _, gate := range w.pod.Spec.ReadinessGates {
		switch found := condition(w.pod.Status.Conditions, gate.ConditionType); {
		case found == nil:
			missing = append(missing, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", gate.ConditionType))
		case found.Status != corev1.ConditionTrue:
			missing = append(missing, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %v", gate.ConditionType, found.Status))
		}
	}
	if len(missing) > 0 {
		c.Status, c.Reason, c.Message = corev1.ConditionFalse, conditionGates, strings.Join(missing, ", ")
	}
	return c
}

func (w *worker) initializedCondition(phase corev1.PodPhase) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}
	if phase == corev1.PodSucceeded {
		c.Reason = conditionCompleted
		return c
	}
	if before := condition(w.status.Conditions, c.Type); before != nil && before.Status == c.Status {
		return c // nor does a pod that is initialized stop being so
	}
	var incomplete []string
	for _, s := range w.slots {
		if (s.kind == initial || s.kind == sidecar) && !s.passed {
			incomplete = append(incomplete, s.spec.Name)
		}
	}
	if len(incomplete) > 0 {
		c.Status, c.Reason = corev1.ConditionFalse, conditionNotInitialized
		c.Message = fmt.Sprintf("containers with incomplete status: %v", incomplete)
	}
	return c
}
