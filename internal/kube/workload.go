package kube

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// judge checks one object once.
func (c *Client) judge(ctx context.Context, o *unstructured.Unstructured) (verdict, error) {
	namespace, name := o.GetNamespace(), o.GetName()
	if namespace == "" {
		namespace = defaultNamespace
	}
	v, err := c.judgeKind(ctx, o, namespace, name)
	if apierrors.IsNotFound(err) {
		return lacks("does not exist"), nil
	}
	return v, err
}

func (c *Client) judgeKind(ctx context.Context, o *unstructured.Unstructured, namespace, name string) (verdict, error) {
	switch o.GroupVersionKind().GroupKind() {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}:
		d, err := c.clientset.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return verdict{}, err
		}
		return c.withPods(ctx, deploymentReady(d), namespace, d.Spec.Selector)
	case schema.GroupKind{Group: "apps", Kind: "DaemonSet"}:
		d, err := c.clientset.AppsV1().DaemonSets(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return verdict{}, err
		}
		return c.withPods(ctx, daemonSetReady(d), namespace, d.Spec.Selector)
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		s, err := c.clientset.AppsV1().StatefulSets(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return verdict{}, err
		}
		return c.withPods(ctx, statefulSetReady(s), namespace, s.Spec.Selector)
	case schema.GroupKind{Kind: "Pod"}:
		p, err := c.clientset.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return verdict{}, err
		}
		return podReady(p), nil
	case schema.GroupKind{Kind: "Service"}:
		return c.serviceReady(ctx, namespace, name)
	}
	_, err := c.Get(ctx, o)
	return isReady(), err
}

// deploymentReady follows `kubectl rollout status`
// (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status).
func deploymentReady(d *appsv1.Deployment) verdict {
	want := replicas(d.Spec.Replicas)
	st := d.Status
	switch {
	case st.ObservedGeneration < d.Generation:
		return lacks("the change has not been taken up yet")
	case st.UpdatedReplicas < want:
		return lacks("%d of %d pods are of the new version", st.UpdatedReplicas, want)
	case st.Replicas > want:
		return lacks("%d old pods are still there", st.Replicas-want)
	case st.AvailableReplicas < want:
		return lacks("%d of %d pods available", st.AvailableReplicas, want)
	}
	return isReady()
}

func daemonSetReady(d *appsv1.DaemonSet) verdict {
	st := d.Status
	switch {
	case st.ObservedGeneration < d.Generation:
		return lacks("the change has not been taken up yet")
	case st.DesiredNumberScheduled == 0:
		return lacks("no node is to run it")
	case st.UpdatedNumberScheduled < st.DesiredNumberScheduled:
		return lacks("%d of %d nodes run the new version", st.UpdatedNumberScheduled, st.DesiredNumberScheduled)
	case st.NumberAvailable < st.DesiredNumberScheduled:
		return lacks("available on %d of %d nodes", st.NumberAvailable, st.DesiredNumberScheduled)
	}
	return isReady()
}

func statefulSetReady(s *appsv1.StatefulSet) verdict {
	want := replicas(s.Spec.Replicas)
	st := s.Status
	switch {
	case st.ObservedGeneration < s.Generation:
		return lacks("the change has not been taken up yet")
	case st.UpdatedReplicas < want:
		return lacks("%d of %d pods are of the new version", st.UpdatedReplicas, want)
	case st.AvailableReplicas < want:
		return lacks("%d of %d pods available", st.AvailableReplicas, want)
	}
	return isReady()
}

// replicas returns the number of replicas; the default is 1.
func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// serviceReady checks the EndpointSlices, as controllers do
// (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/).
func (c *Client) serviceReady(ctx context.Context, namespace, name string) (verdict, error) {
	svc, err := c.clientset.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return verdict{}, err
	}
	if len(svc.Spec.Selector) == 0 || svc.Spec.Type == corev1.ServiceTypeExternalName {
		return isReady(), nil
	}
	slices, err := c.clientset.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{discoveryv1.LabelServiceName: name}.String(),
	})
	if err != nil {
		return verdict{}, err
	}
	notReady := 0
	for _, s := range slices.Items {
		for _, ep := range s.Endpoints {
			// A missing condition means ready.
			if ep.Conditions.Ready == nil || *ep.Conditions.Ready {
				return isReady(), nil
			}
			notReady++
		}
	}
	if notReady > 0 {
		return lacks("no ready endpoint, %d not ready", notReady), nil
	}
	selector := metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: svc.Spec.Selector})
	return c.noEndpoints(ctx, namespace, selector)
}

// noEndpoints distinguishes a selector that matches no pod from pods without an address.
func (c *Client) noEndpoints(ctx context.Context, namespace, selector string) (verdict, error) {
	pods, err := c.clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return verdict{}, err
	}
	if len(pods.Items) == 0 {
		return lacks("no endpoint: no pod has the labels of its selector, %s", selector), nil
	}
	return lacks("no endpoint yet: %s", troubles(pods.Items)), nil
}

// withPods adds the reasons of the pods to a workload's verdict.
func (c *Client) withPods(ctx context.Context, v verdict, namespace string, selector *metav1.LabelSelector) (verdict, error) {
	if v.ready {
		return v, nil
	}
	pods, err := c.clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: metav1.FormatLabelSelector(selector),
	})
	if err != nil {
		return verdict{}, fmt.Errorf("pods: %w", err)
	}
	if text := troubles(pods.Items); text != "" {
		v.missing += ": " + text
	}
	v.hopeless = hopelessPod(pods.Items)
	return v, nil
}
