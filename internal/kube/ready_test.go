package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func named(apiVersion, kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetNamespace("shop")
	o.SetName(name)
	return o
}

func objectMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name, Generation: 2, Labels: map[string]string{"app": "web"}}
}

var selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}

func deployment(replicas int32, st appsv1.DeploymentStatus) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: objectMeta("web"), Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector}, Status: st}
}

func rolledOut(n int32) appsv1.DeploymentStatus {
	return appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: n, UpdatedReplicas: n, AvailableReplicas: n}
}

func waitingPod(reason string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: objectMeta("web-1"), Status: corev1.PodStatus{
		Phase: corev1.PodPending,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "web", Image: "cheese:blue",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}},
		}},
	}}
}

func service() *corev1.Service {
	return &corev1.Service{ObjectMeta: objectMeta("web"), Spec: corev1.ServiceSpec{Selector: selector.MatchLabels}}
}

func endpoints(ready bool) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: objectMeta("web-abc")}
	s.Labels = map[string]string{discoveryv1.LabelServiceName: "web"}
	s.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}}
	return s
}

// waitOn waits for ten seconds of fake time on a cluster that holds objs.
func waitOn(t *testing.T, o *unstructured.Unstructured, objs ...runtime.Object) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := NewFor(fake.NewClientset(objs...), nil, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err = c.WaitReady(ctx, o)
	})
	return err
}

func TestWaitReadyAcceptsReadyObjects(t *testing.T) {
	ready := waitingPod("")
	ready.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	headless := service()
	headless.Spec.Selector = nil
	for name, c := range map[string]struct {
		of   *unstructured.Unstructured
		objs []runtime.Object
	}{
		"deployment":               {named("apps/v1", "Deployment", "web"), []runtime.Object{deployment(2, rolledOut(2))}},
		"deployment scaled to 0":   {named("apps/v1", "Deployment", "web"), []runtime.Object{deployment(0, rolledOut(0))}},
		"pod":                      {named("v1", "Pod", "web-1"), []runtime.Object{ready}},
		"service":                  {named("v1", "Service", "web"), []runtime.Object{service(), endpoints(true)}},
		"service without selector": {named("v1", "Service", "web"), []runtime.Object{headless}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := waitOn(t, c.of, c.objs...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWaitReadyReportsMissing(t *testing.T) {
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "e"}, Type: corev1.EventTypeWarning, Reason: "Failed",
		Message: "no such image", InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "web-1"},
	}
	half := appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 1}
	old := appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 2, AvailableReplicas: 2}
	stale := rolledOut(2)
	stale.ObservedGeneration = 1
	for name, c := range map[string]struct {
		of   *unstructured.Unstructured
		objs []runtime.Object
		want string
	}{
		"image": {
			named("apps/v1", "Deployment", "web"), []runtime.Object{deployment(2, half), waitingPod("ErrImagePull"), event},
			"deployment shop/web: 1 of 2 pods available: pod web-1 container web (image cheese:blue): ErrImagePull " +
				"(last warning: Failed: no such image)",
		},
		"old pods":       {named("apps/v1", "Deployment", "web"), []runtime.Object{deployment(2, old)}, "1 old pods are still there"},
		"not taken up":   {named("apps/v1", "Deployment", "web"), []runtime.Object{deployment(2, stale)}, "the change has not been taken up yet"},
		"does not exist": {named("apps/v1", "Deployment", "web"), nil, "deployment shop/web: does not exist"},
		"selector": {
			named("v1", "Service", "web"), []runtime.Object{service()},
			"service shop/web: no endpoint: no pod has the labels of its selector, app=web",
		},
		"not ready yet": {named("v1", "Service", "web"), []runtime.Object{service(), endpoints(false)}, "no ready endpoint, 1 not ready"},
		"pod has no IP": {
			named("v1", "Service", "web"), []runtime.Object{service(), waitingPod("ContainerCreating")},
			"pod web-1 container web is being created",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := waitOn(t, c.of, c.objs...)
			var notReady *NotReadyError
			if !errors.As(err, &notReady) || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v, want a NotReadyError for the deadline", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestWaitReadyStopsIfWaitingCannotHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewFor(fake.NewClientset(deployment(1, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1}),
			waitingPod("InvalidImageName")), nil, nil)
		begin := time.Now()
		err := c.WaitReady(t.Context(), named("apps/v1", "Deployment", "web"))
		if err == nil || !strings.Contains(err.Error(), "waiting cannot help: InvalidImageName") {
			t.Errorf("got %v", err)
		}
		if time.Since(begin) > 0 {
			t.Errorf("waited %v for what cannot heal", time.Since(begin))
		}
	})
}

// WaitReady tolerates a short silence of the API server. A long one is an error, but no timeout of the pods.
func TestWaitReadyStopsOnSilentAPIServer(t *testing.T) {
	for name, test := range map[string]struct {
		back time.Duration
		want string
	}{
		"comes back": {back: 20 * time.Second},
		"stays away": {back: time.Hour, want: "the API server has not responded for 30s: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				set := fake.NewClientset(deployment(2, rolledOut(2)))
				set.PrependReactor("get", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
					return time.Since(begin) < test.back, nil, errors.New("connection refused")
				})
				err := NewFor(set, nil, nil).WaitReady(t.Context(), named("apps/v1", "Deployment", "web"))
				var silent *SilentError
				if test.want == "" && err != nil || test.want != "" && (!errors.As(err, &silent) || err.Error() != test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					t.Error("it counts as a time-out")
				}
			})
		})
	}
}

func TestWaitReadyNoticesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := fake.NewClientset(deployment(1, appsv1.DeploymentStatus{ObservedGeneration: 2}))
		c := NewFor(set, nil, nil)
		ended := make(chan error, 1)
		go func() { ended <- c.WaitReady(t.Context(), named("apps/v1", "Deployment", "web")) }()
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatal("ended before the deployment was ready")
		}
		if _, err := set.AppsV1().Deployments("shop").UpdateStatus(t.Context(), deployment(1, rolledOut(1)), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
