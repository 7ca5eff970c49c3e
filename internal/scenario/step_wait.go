package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// wait waits until something is true of the cluster's objects.
func (r *runner) wait(ctx context.Context, w Wait, report *StepReport) error {
	if w.Ready {
		return r.waitReady(ctx, w, report)
	}
	p := patience{within: r.within(w.Within, waitWithin), streak: 1, trial: r.try(Step{Wait: &w}, report)}
	c := converge(ctx, p, func(ctx context.Context) look { return r.seeObject(ctx, w) })
	return report.settle(c, TimedOut)
}

func (r *runner) waitReady(ctx context.Context, w Wait, report *StepReport) error {
	within, cancel := context.WithTimeout(ctx, r.within(w.Within, waitWithin))
	defer cancel()
	trial := r.try(Step{Wait: &w}, report)
	err := r.ready(within, trial == nil)
	for isLate(err) && within.Err() == nil && !trial.convicts(ctx, look{mismatches: unready(err)}) {
		err = r.ready(within, false)
	}
	report.Mismatches = unready(err)
	var missing *kube.NotReadyError
	switch {
	case err == nil:
		report.Outcome = Passed
		return nil
	case !errors.As(err, &missing):
		report.Outcome = Broken
		return err
	case isLate(err):
		report.Outcome = TimedOut
	default:
		report.Outcome = Failed
		report.Note = missing.Cause.Error()
	}
	return nil
}

// readyGlance is for how long a mutant's objects are waited for at a time.
const readyGlance = 2 * time.Second

// ready waits for what is applied: for as long as there is time, or for a part of it.
func (r *runner) ready(ctx context.Context, all bool) error {
	if !all {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readyGlance)
		defer cancel()
	}
	return r.env.Kube.WaitReady(ctx, r.applied...)
}

func isLate(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// unready are the objects that an error of WaitReady says are not ready, and what they lack.
func unready(err error) (mismatches []probe.Mismatch) {
	var missing *kube.NotReadyError
	if errors.As(err, &missing) {
		for _, line := range missing.Missing {
			object, lacks, _ := strings.Cut(line, ": ")
			mismatches = append(mismatches, probe.Mismatch{Field: object, Expected: "ready", Observed: lacks})
		}
	}
	return mismatches
}

// seeObject looks whether what a Wait is about is true now.
func (r *runner) seeObject(ctx context.Context, w Wait) look {
	if w.Object != "" {
		return r.seeField(ctx, w)
	}
	var m *probe.Mismatch
	var err error
	switch {
	case w.Addresses != "":
		m, err = r.seeNodeAddresses(ctx, w.Ingress)
	case w.Ingress != "":
		m, err = r.seeAddress(ctx, w.Ingress, *w.Address)
	case w.Service != "":
		m, err = r.seeEndpoints(ctx, w.Service, *w.Endpoints)
	case w.Deployment != "":
		m, err = r.seeDeployment(ctx, w.Deployment, w.condition())
	default:
		m, err = r.seePod(ctx, w.Pod, w.condition())
	}
	if apierrors.IsNotFound(err) {
		return look{mismatches: []probe.Mismatch{{Field: "object", Expected: w.describe(), Observed: "there is no such object"}}}
	}
	if err != nil || m == nil {
		return look{err: err}
	}
	return look{mismatches: []probe.Mismatch{*m}}
}

func (r *runner) seeAddress(ctx context.Context, name string, wanted bool) (*probe.Mismatch, error) {
	ingress, err := r.env.Kube.Clientset().NetworkingV1().Ingresses(r.names.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	got := addresses(ingress)
	switch {
	case wanted && len(got) == 0:
		return &probe.Mismatch{Field: "address of ingress " + name, Expected: "an address", Observed: "none"}, nil
	case !wanted && len(got) > 0:
		return &probe.Mismatch{Field: "address of ingress " + name, Expected: "none", Observed: strings.Join(got, ", ")}, nil
	}
	return nil, nil
}

// seeNodeAddresses compares the addresses of an Ingress with those of the nodes that have a ready pod of the controller.
func (r *runner) seeNodeAddresses(ctx context.Context, name string) (*probe.Mismatch, error) {
	ingress, err := r.env.Kube.Clientset().NetworkingV1().Ingresses(r.names.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	pods, err := r.env.Kube.Clientset().CoreV1().Pods(SystemNamespace).List(ctx, metav1.ListOptions{LabelSelector: controllerPods})
	if err != nil {
		return nil, err
	}
	var wanted []string
	for _, pod := range readyPods(pods.Items) {
		wanted = append(wanted, pod.Status.HostIP)
	}
	got := addresses(ingress)
	slices.Sort(wanted)
	slices.Sort(got)
	if wanted = slices.Compact(wanted); slices.Equal(wanted, got) && len(got) > 0 {
		return nil, nil
	}
	return &probe.Mismatch{
		Field: "addresses of ingress " + name, Expected: orEmpty(strings.Join(wanted, ", ")), Observed: orEmpty(strings.Join(got, ", ")),
	}, nil
}

// addresses returns what `kubectl get ingress` shows as ADDRESS.
func addresses(ingress *networkingv1.Ingress) []string {
	var all []string
	for _, at := range ingress.Status.LoadBalancer.Ingress {
		if at.IP != "" {
			all = append(all, at.IP)
		} else {
			all = append(all, at.Hostname)
		}
	}
	return all
}

func (r *runner) seeEndpoints(ctx context.Context, service string, wanted int) (*probe.Mismatch, error) {
	if _, err := r.env.Kube.Clientset().CoreV1().Services(r.names.namespace).Get(ctx, service, metav1.GetOptions{}); err != nil {
		return nil, err
	}
	slices, err := r.env.Kube.Clientset().DiscoveryV1().EndpointSlices(r.names.namespace).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + service,
	})
	if err != nil {
		return nil, err
	}
	ready, unready := countEndpoints(slices.Items, service)
	if ready == wanted {
		return nil, nil
	}
	observed := fmt.Sprint(ready)
	if unready > 0 {
		observed += fmt.Sprintf(" (and %d not ready)", unready)
	}
	return &probe.Mismatch{Field: "ready endpoints of service " + service, Expected: fmt.Sprint(wanted), Observed: observed}, nil
}

// countEndpoints counts the endpoints of a Service. A dual-stack pod is one endpoint, though it is in two slices; an
// endpoint that does not say whether it is ready is
// (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions).
func countEndpoints(slices []discoveryv1.EndpointSlice, service string) (ready, unready int) {
	state := map[string]bool{}
	for _, slice := range slices {
		if slice.Labels[discoveryv1.LabelServiceName] != service {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			key := strings.Join(endpoint.Addresses, ",")
			if endpoint.TargetRef != nil {
				key = endpoint.TargetRef.Name
			}
			state[key] = state[key] || endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
		}
	}
	for _, isReady := range state {
		if isReady {
			ready++
		} else {
			unready++
		}
	}
	return ready, unready
}

func (r *runner) seeDeployment(ctx context.Context, name, condition string) (*probe.Mismatch, error) {
	d, err := r.env.Kube.Clientset().AppsV1().Deployments(r.names.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	field := fmt.Sprintf("condition %s of deployment %s", condition, name)
	// Conditions of an older generation say nothing about the present spec.
	if d.Status.ObservedGeneration < d.Generation {
		return &probe.Mismatch{Field: field, Expected: "True", Observed: "not known yet"}, nil
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentConditionType(condition) {
			return judgeCondition(field, c.Status, c.Reason, c.Message), nil
		}
	}
	return &probe.Mismatch{Field: field, Expected: "True", Observed: "no such condition"}, nil
}

func (r *runner) seePod(ctx context.Context, name, condition string) (*probe.Mismatch, error) {
	p, err := r.env.Kube.Clientset().CoreV1().Pods(r.names.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	field := fmt.Sprintf("condition %s of pod %s", condition, name)
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodConditionType(condition) {
			return judgeCondition(field, c.Status, c.Reason, c.Message), nil
		}
	}
	return &probe.Mismatch{Field: field, Expected: "True", Observed: "no such condition"}, nil
}

func judgeCondition(field string, status corev1.ConditionStatus, reason, message string) *probe.Mismatch {
	if status == corev1.ConditionTrue {
		return nil
	}
	observed := string(status)
	for _, more := range []string{reason, message} {
		if more != "" {
			observed += ": " + more
		}
	}
	return &probe.Mismatch{Field: field, Expected: "True", Observed: observed}
}
