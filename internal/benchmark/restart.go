package benchmark

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// restartTimeout limits a restart of the controller.
	restartTimeout = 5 * time.Minute
	// askInterval and lookInterval are the measurement errors of the two values in Sync.
	askInterval  = 2 * time.Millisecond
	lookInterval = 20 * time.Millisecond
)

// Sync is the start time of a controller in a full cluster, in seconds from its first log line.
type Sync struct {
	// FirstRequest is the time until a request succeeds, Ready the time until the API reports the pod as Ready.
	FirstRequest float64 `json:"firstRequestSeconds"`
	Ready        float64 `json:"readySeconds"`
}

// restart deletes the controller's pod and measures its replacement.
func (s *simulation) restart(ctx context.Context) (sync Sync, err error) {
	_, done := s.Progress.Begin("Restarting the controller")
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, restartTimeout)
	defer cancel()
	old := s.pod
	pods := s.client.CoreV1().Pods(old.Namespace)
	if err := pods.Delete(ctx, old.Name, metav1.DeleteOptions{}); err != nil {
		return sync, fmt.Errorf("delete pod %s/%s: %w", old.Namespace, old.Name, err)
	}
	// The old pod serves during its grace period, so the measurement starts after its removal.
	if _, err := s.awaitController(ctx, func(now *corev1.Pod) bool { return now == nil || now.UID != old.UID }); err != nil {
		return sync, err
	}
	type served struct {
		at  time.Time
		err error
	}
	first := make(chan served, 1)
	go func() {
		at, err := s.browser.until(ctx, hostOf(s.Ingresses-1), askInterval, func(string) bool { return true })
		first <- served{at, err}
	}()
	s.pod, err = s.awaitController(ctx, func(now *corev1.Pod) bool { return now != nil && now.UID != old.UID && podReady(now) })
	ready := time.Now()
	if err != nil {
		cancel()
		<-first
		return sync, err
	}
	routed := <-first
	if routed.err != nil {
		return sync, fmt.Errorf("the new controller is Ready but routes no request: %w", routed.err)
	}
	start, err := startOf(ctx, s.client, s.podName())
	if err != nil {
		return sync, err
	}
	return Sync{FirstRequest: routed.at.Sub(start).Seconds(), Ready: ready.Sub(start).Seconds()}, nil
}

// awaitController waits until wanted accepts the controller's pod on the node of s.pod, which is nil if none exists.
func (s *simulation) awaitController(ctx context.Context, wanted func(*corev1.Pod) bool) (*corev1.Pod, error) {
	node := s.pod.Spec.NodeName
	for {
		list, err := s.client.CoreV1().Pods(s.pod.Namespace).List(ctx, metav1.ListOptions{
			LabelSelector: controllerSelector, FieldSelector: "spec.nodeName=" + node,
		})
		if err != nil {
			return nil, fmt.Errorf("controller: %w", err)
		}
		var now *corev1.Pod
		if len(list.Items) > 0 {
			now = &list.Items[0]
		}
		if wanted(now) {
			return now, nil
		}
		if err := pause(ctx, lookInterval); err != nil {
			return nil, fmt.Errorf("controller on node %s: %w", node, err)
		}
	}
}

func podReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// podName returns the name of the measured controller.
func (s *simulation) podName() types.NamespacedName {
	return types.NamespacedName{Namespace: s.pod.Namespace, Name: s.pod.Name}
}
