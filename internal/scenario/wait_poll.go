package scenario

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/jsonpath"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// poll compares the object with the condition once.
func (w Wait) poll(ctx context.Context, r *runner) pollResult {
	var l pollResult
	switch {
	case w.Object != "":
		return r.seeField(ctx, w)
	case w.Addresses != "":
		l = r.seeNodeAddresses(ctx, w.Ingress)
	case w.Ingress != "":
		l = r.seeAddress(ctx, w.Ingress, *w.Address)
	case w.Service != "":
		l = r.seeEndpoints(ctx, w.Service, *w.Endpoints)
	case w.Deployment != "":
		l = r.seeDeployment(ctx, w.Deployment, w.condition())
	default:
		l = r.seePod(ctx, w.Pod, w.condition())
	}
	if apierrors.IsNotFound(l.err) {
		return differs("object", w.goal(), "not found")
	}
	return l
}

func (r *runner) seeAddress(ctx context.Context, name string, wanted bool) pollResult {
	ingress, err := r.env.Kube.Clientset().NetworkingV1().Ingresses(r.names.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return pollResult{err: err}
	}
	got := addresses(ingress)
	switch {
	case wanted && len(got) == 0:
		return differs("address of ingress "+name, "an address", "none")
	case !wanted && len(got) > 0:
		return differs("address of ingress "+name, "none", strings.Join(got, ", "))
	}
	return pollResult{}
}

// seeNodeAddresses compares the addresses of an Ingress with those of nodes that have a ready
// controller pod.
func (r *runner) seeNodeAddresses(ctx context.Context, name string) pollResult {
	ingress, err := r.env.Kube.Clientset().NetworkingV1().Ingresses(r.names.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return pollResult{err: err}
	}
	pods, err := r.env.Kube.Clientset().CoreV1().Pods(SystemNamespace).List(ctx, metav1.ListOptions{LabelSelector: controllerPods})
	if err != nil {
		return pollResult{err: err}
	}
	var wanted []string
	for _, pod := range readyPods(pods.Items) {
		wanted = append(wanted, pod.Status.HostIP)
	}
	got := addresses(ingress)
	slices.Sort(wanted)
	slices.Sort(got)
	if wanted = slices.Compact(wanted); slices.Equal(wanted, got) && len(got) > 0 {
		return pollResult{}
	}
	return differs("addresses of ingress "+name, cmp.Or(strings.Join(wanted, ", "), "nothing"), cmp.Or(strings.Join(got, ", "), "nothing"))
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

func (r *runner) seeEndpoints(ctx context.Context, service string, wanted int) pollResult {
	if _, err := r.env.Kube.Clientset().CoreV1().Services(r.names.namespace).Get(ctx, service, metav1.GetOptions{}); err != nil {
		return pollResult{err: err}
	}
	slices, err := r.env.Kube.Clientset().DiscoveryV1().EndpointSlices(r.names.namespace).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + service,
	})
	if err != nil {
		return pollResult{err: err}
	}
	ready, unready := countEndpoints(slices.Items, service)
	if ready == wanted {
		return pollResult{}
	}
	observed := fmt.Sprint(ready)
	if unready > 0 {
		observed += fmt.Sprintf(" (and %d not ready)", unready)
	}
	return differs("ready endpoints of service "+service, fmt.Sprint(wanted), observed)
}

// countEndpoints counts the endpoints of a Service. A dual-stack pod in two slices is one endpoint.
// An endpoint without the condition ready is ready
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

func (r *runner) seeDeployment(ctx context.Context, name, condition string) pollResult {
	d, err := r.env.Kube.Clientset().AppsV1().Deployments(r.names.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return pollResult{err: err}
	}
	field := fmt.Sprintf("condition %s of deployment %s", condition, name)
	// Conditions of an older generation say nothing about the present spec.
	if d.Status.ObservedGeneration < d.Generation {
		return differs(field, "True", "not known yet")
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentConditionType(condition) {
			return judgeCondition(field, c.Status, c.Reason, c.Message)
		}
	}
	return differs(field, "True", "no such condition")
}

func (r *runner) seePod(ctx context.Context, name, condition string) pollResult {
	p, err := r.env.Kube.Clientset().CoreV1().Pods(r.names.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return pollResult{err: err}
	}
	field := fmt.Sprintf("condition %s of pod %s", condition, name)
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodConditionType(condition) {
			return judgeCondition(field, c.Status, c.Reason, c.Message)
		}
	}
	return differs(field, "True", "no such condition")
}

func judgeCondition(field string, status corev1.ConditionStatus, reason, message string) pollResult {
	if status == corev1.ConditionTrue {
		return pollResult{}
	}
	observed := string(status)
	for _, more := range []string{reason, message} {
		if more != "" {
			observed += ": " + more
		}
	}
	return differs(field, "True", observed)
}

// seeField compares an object's existence or field with the expectation.
func (r *runner) seeField(ctx context.Context, w Wait) pollResult {
	o, err := r.object(w.Object, w.Namespace)
	if err != nil {
		return pollResult{err: err}
	}
	got, err := r.env.Kube.Get(ctx, o)
	isGone := apierrors.IsNotFound(err) || meta.IsNoMatchError(err)
	switch {
	case err != nil && !isGone:
		return pollResult{err: err}
	case w.Exists != nil && !*w.Exists && !isGone:
		return differs(kube.Describe(o), "not to exist", stillThere(got))
	case w.Exists != nil && !*w.Exists:
		return pollResult{}
	case isGone:
		return differs(kube.Describe(o), "to exist", "not found")
	case w.JSONPath == "":
		return pollResult{}
	}
	value, err := fieldOf(got, w.JSONPath)
	if err != nil {
		return pollResult{err: err}
	}
	wanted := r.names.text(*w.Value)
	if probe.MatchPattern(wanted, value) {
		return pollResult{}
	}
	return differs(w.JSONPath+" of "+kube.Describe(o), cmp.Or(wanted, "nothing"), cmp.Or(value, "nothing"))
}

// parseJSONPath parses a path in kubectl's notation. The value of a missing field is empty.
func parseJSONPath(text string) (*jsonpath.JSONPath, error) {
	p := jsonpath.New("jsonpath").AllowMissingKeys(true)
	return p, p.Parse(text)
}

// fieldOf returns a field as kubectl get -o jsonpath prints it, with spaces between several
// results.
func fieldOf(o *unstructured.Unstructured, text string) (string, error) {
	p, err := parseJSONPath(text)
	if err != nil {
		return "", err
	}
	var value bytes.Buffer
	if err := p.Execute(&value, o.Object); err != nil {
		return "", err
	}
	return value.String(), nil
}

func describeObject(o *unstructured.Unstructured) string {
	return path.Join(strings.ToLower(o.GetKind()), o.GetName())
}
