package scenario_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// TestASeriesSharesPodsUntilSomebodyDisturbsThem runs mutants of a scenario with a Deployment, and then the scenario, which scales it.
func TestASeriesSharesPodsUntilSomebodyDisturbsThem(t *testing.T) {
	const caught = ", caught: {step: the page, message: \"404\"}"
	s := load(t, `
- apply: [deployment.yaml, web.yaml]
- name: the page
  expect: {url: http://web.test/, status: 200, within: 500ms}
- scale: {deployment: web, replicas: 2}
mutants:
- {name: another host, patch: [{object: ingress/web, json: [{op: replace, path: /spec/rules/0/host, value: other.test}]}]`+caught+`}
- {name: no Ingress, omit: ingress/web`+caught+`}
- {name: other pods, patch: [{object: deployment/web, merge: {spec: {replicas: 3}}}], omit: ingress/web`+caught+`}
- {name: another class, patch: [{object: ingress/web, merge: {spec: {ingressClassName: nginx}}}]`+caught+`}
`)
	c, http := fakecluster.New(t)
	series := scenario.NewSeries(s, scenario.Env{Kube: c, HTTP: http, Patience: 300 * time.Millisecond})
	var namespaces []string
	for _, m := range s.Mutants {
		got, err := series.RunMutant(t.Context(), m)
		if err != nil || got.Verdict != scenario.CaughtRight {
			t.Fatalf("%s: %s: %s, %v", m.Name, got.Verdict, got.Reason, err)
		}
		namespaces = append(namespaces, got.Report.Namespace)
		want := []string{"deployment web"}
		if m.Name == "other pods" {
			want = nil
		}
		if left := kindsAndNames(c.Objects()); !slices.Equal(left, want) {
			t.Errorf("%s: left for the next run is %v, want %v", m.Name, left, want)
		}
	}
	report, err := series.Run(t.Context())
	if err != nil || report.Outcome != scenario.Passed {
		t.Fatalf("%s: %s, %v", report.Outcome, report.Reason, err)
	}
	namespaces = append(namespaces, report.Namespace)
	if n := slices.Compact(namespaces); len(n) != 1 {
		t.Errorf("the namespaces are %v, and were to be one", n)
	}
	if left := c.Namespaces(); len(left) > 0 {
		t.Errorf("%v is left, though the scenario has scaled what is in it", left)
	}
	if again, err := series.Run(t.Context()); err != nil || again.Namespace == report.Namespace {
		t.Errorf("the next run is in %s again, %v", again.Namespace, err)
	}
}

// TestASeriesLeavesNothing closes a series whose last run has left its pods, and one after an interruption.
func TestASeriesLeavesNothing(t *testing.T) {
	s := load(t, `
- apply: [deployment.yaml, web.yaml]
- expect: {url: http://web.test/, status: 200, within: 500ms}
`)
	c, http := fakecluster.New(t)
	series := scenario.NewSeries(s, scenario.Env{Kube: c, HTTP: http})
	for range 2 {
		if report, err := series.Run(t.Context()); err != nil || report.Outcome != scenario.Passed {
			t.Fatalf("%s: %s, %v", report.Outcome, report.Reason, err)
		}
	}
	if left := c.Namespaces(); len(left) != 1 {
		t.Errorf("there is %v while the series goes on", left)
	}
	for range 2 {
		if err := series.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if left := c.Namespaces(); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// kindsAndNames are the objects without their namespaces.
func kindsAndNames(objects []string) (all []string) {
	for _, o := range objects {
		kind, name, _ := strings.Cut(o, " ")
		_, name, _ = strings.Cut(name, "/")
		all = append(all, strings.ToLower(kind)+" "+name)
	}
	slices.Sort(all)
	return all
}

// TestRetireWaitsForPodsToLeave deletes a Deployment whose pod a garbage collector comes to or not, beside another one's pod.
func TestRetireWaitsForPodsToLeave(t *testing.T) {
	t.Parallel()
	for name, leaves := range map[string]bool{"the pod is on its way out": true, "nobody ends the pod": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := fakecluster.New(t)
			deployment := deploymentWithPods(t, c, leaves)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			err := scenario.Retire(ctx, c, deployment)
			if leaves && err != nil || !leaves && (err == nil || !strings.Contains(err.Error(), "pod shop/web-1-a was deleted and is still there")) {
				t.Error(err)
			}
			if got := c.Objects(); len(got) != 0 {
				t.Errorf("%v was not deleted", got)
			}
			if err := scenario.Retire(t.Context(), c, deployment); err != nil {
				t.Errorf("nothing is there, and: %v", err)
			}
		})
	}
}

func deploymentWithPods(t *testing.T, c *fakecluster.Cluster, leaving bool) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "namespace": "shop"},
	}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.EnsureNamespace(t.Context(), "shop", nil))
	must(c.Apply(t.Context(), o))
	deployment, err := c.Get(t.Context(), o)
	must(err)
	isOwner := true
	owned := func(name string, by types.UID) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), OwnerReferences: []metav1.OwnerReference{{UID: by, Controller: &isOwner}}}
	}
	_, err = c.Clientset().AppsV1().ReplicaSets("shop").Create(t.Context(), &appsv1.ReplicaSet{ObjectMeta: owned("web-1", deployment.GetUID())}, metav1.CreateOptions{})
	must(err)
	pod := &corev1.Pod{ObjectMeta: owned("web-1-a", "web-1")}
	if leaving {
		pod.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	}
	for _, p := range []*corev1.Pod{pod, {ObjectMeta: owned("other-1-a", "other-1")}} {
		_, err = c.Clientset().CoreV1().Pods("shop").Create(t.Context(), p, metav1.CreateOptions{})
		must(err)
	}
	return o
}
