package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
)

func describe(kind, namespace, name string) string {
	kind = strings.ToLower(kind)
	if namespace == "" {
		return kind + " " + name
	}
	return kind + " " + namespace + "/" + name
}

// podReady follows https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.
func podReady(p *corev1.Pod) verdict {
	if p.Status.Phase == corev1.PodSucceeded {
		return isReady()
	}
	for _, cond := range p.Status.Conditions {
		if cond.Type == corev1.PodReady && cond.Status == corev1.ConditionTrue {
			return isReady()
		}
	}
	v := lacks("%s", PodTrouble(p))
	v.hopeless = hopelessPod([]corev1.Pod{*p})
	return v
}

// PodTrouble returns a short reason why a pod is not Ready, or "".
func PodTrouble(p *corev1.Pod) string {
	if p.DeletionTimestamp != nil {
		return "is being deleted"
	}
	for _, cond := range p.Status.Conditions {
		switch {
		case cond.Type == corev1.PodReady && cond.Status == corev1.ConditionTrue:
			return ""
		case cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse:
			return "cannot be scheduled: " + cond.Message
		}
	}
	all := slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses)
	for _, cs := range all {
		if text := containerTrouble(cs); text != "" {
			return text
		}
	}
	switch {
	case p.Status.Phase == corev1.PodSucceeded:
		return ""
	case p.Status.Reason != "":
		return fmt.Sprintf("is %s: %s", p.Status.Phase, p.Status.Reason)
	case p.Status.Phase == corev1.PodRunning:
		return "runs, and its readiness probe does not pass"
	}
	return "is " + string(p.Status.Phase)
}

func containerTrouble(cs corev1.ContainerStatus) string {
	name := "container " + cs.Name
	switch {
	case cs.State.Waiting != nil && cs.State.Waiting.Reason == "ContainerCreating":
		return name + " is being created"
	case cs.State.Waiting != nil && cs.State.Waiting.Reason == "PodInitializing":
		return ""
	case cs.State.Waiting != nil:
		text := fmt.Sprintf("%s (image %s): %s", name, cs.Image, cs.State.Waiting.Reason)
		if last := cs.LastTerminationState.Terminated; last != nil {
			return fmt.Sprintf("%s, exit code %d, %d restarts", text, last.ExitCode, cs.RestartCount)
		}
		return text
	case cs.State.Terminated != nil && cs.State.Terminated.ExitCode != 0:
		return fmt.Sprintf("%s ended with exit code %d (%s)", name, cs.State.Terminated.ExitCode, cs.State.Terminated.Reason)
	case cs.State.Running != nil && !cs.Ready && cs.RestartCount > 0:
		return fmt.Sprintf("%s runs and is not ready, %d restarts", name, cs.RestartCount)
	}
	return ""
}

// maxTroubles limits the pods in an error; the reasons are usually the same.
const maxTroubles = 2

// troubles joins the reasons why pods are not Ready.
func troubles(pods []corev1.Pod) string {
	var lines []string
	more := 0
	for i := range pods {
		text := PodTrouble(&pods[i])
		switch {
		case text == "":
		case len(lines) == maxTroubles:
			more++
		default:
			lines = append(lines, "pod "+pods[i].Name+" "+text)
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("%d more pods not ready", more))
	}
	return strings.Join(lines, ", ")
}

// hopelessReasons are waiting reasons that require a change of the manifest.
var hopelessReasons = []string{"InvalidImageName", "ErrImageNeverPull"}

func hopelessPod(pods []corev1.Pod) error {
	for _, p := range pods {
		for _, cs := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if w := cs.State.Waiting; w != nil && slices.Contains(hopelessReasons, w.Reason) {
				return fmt.Errorf("waiting cannot help: %s", w.Reason)
			}
		}
	}
	return nil
}

// lastWarning returns the newest warning Event of an object or its pods, in parentheses. The names of a workload's pods start with
// the workload's name.
func (c *Client) lastWarning(ctx context.Context, o *unstructured.Unstructured) string {
	namespace := o.GetNamespace()
	if namespace == "" {
		namespace = defaultNamespace
	}
	list, err := c.clientset.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("type", corev1.EventTypeWarning).String(),
	})
	if err != nil {
		return ""
	}
	about := slices.DeleteFunc(list.Items, func(e corev1.Event) bool {
		name := e.InvolvedObject.Name
		return e.Type != corev1.EventTypeWarning || name != o.GetName() && !strings.HasPrefix(name, o.GetName()+"-")
	})
	if len(about) == 0 {
		return ""
	}
	last := slices.MaxFunc(about, func(a, b corev1.Event) int { return cmp.Compare(eventTime(a), eventTime(b)) })
	return fmt.Sprintf(" (last warning: %s: %s)", last.Reason, strings.TrimSpace(last.Message))
}

// eventTime returns the time of an Event's last occurrence. The field depends on the API of the recorder.
func eventTime(e corev1.Event) int64 {
	for _, t := range []metav1.Time{e.LastTimestamp, {Time: e.EventTime.Time}} {
		if !t.IsZero() {
			return t.UnixNano()
		}
	}
	return e.CreationTimestamp.UnixNano()
}
