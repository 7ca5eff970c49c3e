package diagnosis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// The controller's namespace, ConfigMap, and the spec.controller of its IngressClasses.
const (
	controllerNamespace = "ingresslab-system"
	controllerConfigMap = "ingresslab-controller"
	controllerClass     = "ingresslab.dev/ingress-controller"
)

// Snapshot has the objects of one moment.
type Snapshot struct {
	// Namespace has all objects except those in Ingresses, Classes, System, and ConfigMap.
	Namespace string
	Now       time.Time // Now is the snapshot's time. If it is zero, no certificate counts as expired.
	// Ingresses has the Ingresses of all namespaces, because they compete for hosts.
	Ingresses      []networkingv1.Ingress
	Classes        []networkingv1.IngressClass
	Services       []corev1.Service
	EndpointSlices []discoveryv1.EndpointSlice
	Pods           []corev1.Pod
	Deployments    []appsv1.Deployment
	Secrets        []corev1.Secret
	Events         []corev1.Event
	// System has the Services in the controller's namespace. ConfigMap is the controller's
	// ConfigMap, or nil if there is none.
	System    []corev1.Service
	ConfigMap *corev1.ConfigMap
}

// Take returns a Snapshot. It lists all kinds in parallel.
func Take(ctx context.Context, c kubernetes.Interface, namespace string) (Snapshot, error) {
	s := Snapshot{Namespace: namespace, Now: time.Now()}
	requests := []func() error{
		listed(ctx, c.NetworkingV1().Ingresses("").List, func(l *networkingv1.IngressList) { s.Ingresses = l.Items }),
		listed(ctx, c.NetworkingV1().IngressClasses().List, func(l *networkingv1.IngressClassList) { s.Classes = l.Items }),
		listed(ctx, c.CoreV1().Services(namespace).List, func(l *corev1.ServiceList) { s.Services = l.Items }),
		listed(ctx, c.DiscoveryV1().EndpointSlices(namespace).List, func(l *discoveryv1.EndpointSliceList) { s.EndpointSlices = l.Items }),
		listed(ctx, c.CoreV1().Pods(namespace).List, func(l *corev1.PodList) { s.Pods = l.Items }),
		listed(ctx, c.AppsV1().Deployments(namespace).List, func(l *appsv1.DeploymentList) { s.Deployments = l.Items }),
		listed(ctx, c.CoreV1().Secrets(namespace).List, func(l *corev1.SecretList) { s.Secrets = l.Items }),
		listed(ctx, c.CoreV1().Events(namespace).List, func(l *corev1.EventList) { s.Events = l.Items }),
		listed(ctx, c.CoreV1().Services(controllerNamespace).List, func(l *corev1.ServiceList) { s.System = l.Items }),
		func() error {
			found, err := c.CoreV1().ConfigMaps(controllerNamespace).Get(ctx, controllerConfigMap, metav1.GetOptions{})
			if err == nil {
				s.ConfigMap = found
			}
			if apierrors.IsNotFound(err) {
				return nil
			}
			return err
		},
	}
	errs := make([]error, len(requests))
	var done sync.WaitGroup
	for i, send := range requests {
		done.Go(func() { errs[i] = send() })
	}
	done.Wait()
	slices.SortStableFunc(s.Events, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	if err := errors.Join(errs...); err != nil {
		return s, fmt.Errorf("diagnosis of namespace %s: %w", namespace, err)
	}
	return s, nil
}

// listed returns a function that lists all objects of a kind and keeps them.
func listed[L any](ctx context.Context, list func(context.Context, metav1.ListOptions) (L, error), keep func(L)) func() error {
	return func() error {
		l, err := list(ctx, metav1.ListOptions{})
		if err == nil {
			keep(l)
		}
		return err
	}
}
