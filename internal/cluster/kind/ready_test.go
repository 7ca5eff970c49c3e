package kind

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSilentNodeChecksEveryLease(t *testing.T) {
	since := time.Now()
	lease := func(name string, renewed time.Time) coordinationv1.Lease {
		l := coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: renewed}}}
		l.Name = name
		return l
	}
	leases := []coordinationv1.Lease{lease("a", since.Add(time.Second)), lease("b", since.Add(-time.Second))}
	if got := silentNode(leases, map[string]time.Time{"a": since, "b": since}); got != "b" {
		t.Errorf("got %q, want b, whose lease is older", got)
	}
	if got := silentNode(leases, map[string]time.Time{"a": since, "b": since.Add(-time.Minute)}); got != "" {
		t.Errorf("got %q, want none", got)
	}
	if got := silentNode(nil, map[string]time.Time{"a": since}); got != "a" {
		t.Errorf("got %q, want a, which has no lease", got)
	}
}

func TestIsStale(t *testing.T) {
	since := time.Now()
	pod := func(ready corev1.ConditionStatus, started time.Time) *corev1.Pod {
		return &corev1.Pod{Status: corev1.PodStatus{
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
			ContainerStatuses: []corev1.ContainerStatus{{
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(started)}},
			}},
		}}
	}
	before := since.Add(-time.Minute)
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want bool
	}{
		"ready, started before":     {pod(corev1.ConditionTrue, before), true},
		"ready, started again":      {pod(corev1.ConditionTrue, since.Truncate(time.Second)), false},
		"not ready, started before": {pod(corev1.ConditionFalse, before), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := isStale(c.pod, since); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestPollReturnsErrorFromBeforeDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := poll(ctx, func() error {
			if ctx.Err() != nil {
				return errors.New("request failed at the deadline")
			}
			return errors.New("node n1 is not ready")
		})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "node n1 is not ready") {
			t.Errorf("got %v, want the deadline and the error from before it", err)
		}
	})
}
