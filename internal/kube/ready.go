package kube

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
)

// NotReadyError lists the objects that did not become ready, with the reasons.
type NotReadyError struct {
	// Missing has a line for each object that is not ready, such as
	// "deployment shop/web: 0 of 2 pods available: pod web-x: image cheese:blue: ErrImagePull".
	Missing []string
	// Cause is the reason for the end of the wait: the context's error, or an error that waiting cannot fix.
	Cause error
}

func (e *NotReadyError) Error() string {
	return fmt.Sprintf("not ready: %s: %v", strings.Join(e.Missing, "; "), e.Cause)
}

// Unwrap returns the cause, so that errors.Is finds context.DeadlineExceeded.
func (e *NotReadyError) Unwrap() error { return e.Cause }

// SilentError reports that the API server stopped responding during a wait, so the state of the objects is unknown.
type SilentError struct {
	// For is the time since the last response, and Last the error of the last request.
	For  time.Duration
	Last error
}

// Error implements error. The error does not wrap Last, because a request's timeout is not a timeout of the wait.
func (e *SilentError) Error() string {
	return fmt.Sprintf("the API server has not responded for %s: %v", e.For.Round(time.Second), e.Last)
}

const (
	silenceLimit   = 30 * time.Second // of the API server, for example during a restart
	askTimeout     = 10 * time.Second // of the check of one object, which usually takes milliseconds
	explainTimeout = 3 * time.Second  // of the check that adds details to a timeout
)

// verdict is the result of a check of one object.
type verdict struct {
	ready    bool
	missing  string // completes "deployment shop/web: ..." if it is not ready
	hopeless error  // set if waiting cannot help
}

func isReady() verdict { return verdict{ready: true} }

func lacks(format string, args ...any) verdict { return verdict{missing: fmt.Sprintf(format, args...)} }

// WaitReady waits until every object is ready, or ctx ends:
//   - a Deployment, DaemonSet or StatefulSet is rolled out and all its pods are
//     available, and no old pods exist (as in `kubectl rollout status`);
//   - a Pod is Ready or has succeeded;
//   - a Service with a selector has a ready endpoint;
//   - an object of any other kind exists.
//
// The error is a *NotReadyError or a *SilentError. The wait ends early for an error that waiting cannot fix, such as an invalid image
// name, and if the API server does not respond.
func (c *Client) WaitReady(ctx context.Context, objs ...*unstructured.Unstructured) error {
	pause := wait.Backoff{Duration: c.poll, Factor: pollSlowing, Cap: pollSlowest * c.poll, Steps: math.MaxInt}
	timer := time.NewTimer(pause.Step())
	defer timer.Stop()
	pending := objs
	var missing []string
	heard := time.Now()
	for {
		var hopeless, silence error
		pending, missing, hopeless, silence = c.look(ctx, pending, missing)
		if len(pending) == 0 {
			return nil
		}
		if hopeless != nil {
			return &NotReadyError{Missing: missing, Cause: hopeless}
		}
		if silence == nil {
			heard = time.Now()
		} else if silent := time.Since(heard); silent > silenceLimit {
			return &SilentError{For: silent, Last: silence}
		}
		select {
		case <-timer.C:
			timer.Reset(pause.Step())
		case <-ctx.Done():
			// One more check, with a context that has not ended, adds details to the error.
			return &NotReadyError{Missing: c.explain(context.WithoutCancel(ctx), pending, missing), Cause: context.Cause(ctx)}
		}
	}
}

// look returns the objects that are not ready, and the reasons. If ctx has ended or the API server does not respond (silence), it
// returns the previous results.
func (c *Client) look(ctx context.Context, objs []*unstructured.Unstructured, before []string) (
	pending []*unstructured.Unstructured, missing []string, hopeless, silence error,
) {
	for _, o := range objs {
		v, err := c.ask(ctx, o)
		if ctx.Err() != nil {
			return objs, before, nil, nil
		}
		if err != nil && !answered(err) {
			if len(before) == 0 {
				before = []string{fmt.Sprintf("%s: %v", Describe(o), err)}
			}
			return objs, before, nil, err
		}
		if err != nil {
			v = lacks("%v", err)
		}
		if v.ready {
			continue
		}
		pending = append(pending, o)
		missing = append(missing, Describe(o)+": "+v.missing)
		if v.hopeless != nil {
			hopeless = v.hopeless
		}
	}
	return pending, missing, hopeless, nil
}

// ask checks an object within askTimeout.
func (c *Client) ask(ctx context.Context, o *unstructured.Unstructured) (verdict, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("no response within %s", askTimeout))
	defer cancel()
	v, err := c.judge(ctx, o)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return v, err
}

// answered reports whether an error is a response of the API server.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) || meta.IsNoMatchError(err)
}

func (c *Client) explain(ctx context.Context, objs []*unstructured.Unstructured, before []string) []string {
	ctx, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	var lines []string
	for _, o := range objs {
		v, err := c.judge(ctx, o)
		switch {
		case err != nil && len(before) > 0:
			return before
		case err != nil:
			v = lacks("%v", err)
		case v.ready:
			v = lacks("became ready too late")
		default:
			v.missing += c.lastWarning(ctx, o)
		}
		lines = append(lines, Describe(o)+": "+v.missing)
	}
	return lines
}

// judge checks one object once.
func (c *Client) judge(ctx context.Context, o *unstructured.Unstructured) (verdict, error) {
	v, err := c.judgeKind(ctx, o, namespaceOf(o), o.GetName())
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
	want := ptr.Deref(d.Spec.Replicas, 1)
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

// statefulSetReady checks the same conditions as deploymentReady, except the one about old pods.
func statefulSetReady(s *appsv1.StatefulSet) verdict {
	d := &appsv1.Deployment{ObjectMeta: s.ObjectMeta, Spec: appsv1.DeploymentSpec{Replicas: s.Spec.Replicas}}
	d.Status.ObservedGeneration = s.Status.ObservedGeneration
	d.Status.UpdatedReplicas, d.Status.AvailableReplicas = s.Status.UpdatedReplicas, s.Status.AvailableReplicas
	return deploymentReady(d)
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
			if ptr.Deref(ep.Conditions.Ready, true) {
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
