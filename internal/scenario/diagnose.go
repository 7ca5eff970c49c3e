package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/explain"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// diagnoseTimeout limits the collection of diagnostics.
const diagnoseTimeout = 8 * time.Second

// maxEvents is how many of the newest warnings a report shows.
const maxEvents = 5

// Diagnostics is the state of the namespace after a step failed.
type Diagnostics struct {
	Ingresses []IngressState `json:"ingresses,omitempty"`
	Services  []ServiceState `json:"services,omitempty"`
	// Pods has a line for each pod that is not Ready.
	Pods []string `json:"pods,omitempty"`
	// Events has a line for each of the newest warnings.
	Events []string `json:"events,omitempty"`
	// Explanation says how the controller would route the request now, and why.
	Explanation []string `json:"explanation,omitempty"`
	// Logs are the last lines of related pods.
	Logs []PodLog `json:"logs,omitempty"`
	// Error lists what could not be collected.
	Error string `json:"error,omitempty"`
}

// IngressState summarizes an Ingress.
type IngressState struct {
	Name string `json:"name"`
	// Class is empty if the Ingress has no class.
	Class     string   `json:"class,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	// Rules has a line for each path: "cheddar.test/ -> cheddar:80".
	Rules []string `json:"rules,omitempty"`
}

// ServiceState summarizes a Service.
type ServiceState struct {
	Name string `json:"name"`
	// Ports has an entry for each port: "http 80 -> 8080".
	Ports    []string `json:"ports,omitempty"`
	Ready    int      `json:"ready"`
	NotReady int      `json:"notReady,omitempty"`
}

// diagnose collects what explains the failure of a step. Diagnostics.Error lists what it could not
// collect. lost is an error if the cluster or the namespace no longer exists.
func (r *runner) diagnose(ctx context.Context, step Step) (d *Diagnostics, lost error) {
	if err := r.findLost(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnoseTimeout)
	defer cancel()
	d = &Diagnostics{}
	request := step.asks()
	host := ""
	if request != nil {
		host = request.host(r.names)
	}
	var failed []string
	for _, collect := range []func(context.Context) error{
		func(ctx context.Context) error { return r.routeStates(ctx, d, request) },
		func(ctx context.Context) error { return r.podStates(ctx, d) },
		func(ctx context.Context) error { return r.eventLines(ctx, d) },
		func(ctx context.Context) error { return r.explanation(ctx, d, request) },
		func(ctx context.Context) error { return r.podLogs(ctx, d) },
		func(ctx context.Context) error { return r.controllerLogs(ctx, d, host) },
	} {
		if err := collect(ctx); err != nil && !slices.Contains(failed, err.Error()) {
			failed = append(failed, err.Error())
		}
	}
	d.Error = strings.Join(failed, "; ")
	return d, nil
}

// findLost returns an error if the API server does not respond, or if the run's namespace was
// deleted.
func (r *runner) findLost(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnoseTimeout)
	defer cancel()
	namespace, err := r.env.Kube.Clientset().CoreV1().Namespaces().Get(ctx, r.names.namespace, metav1.GetOptions{})
	var status apierrors.APIStatus
	switch {
	case err != nil && !errors.As(err, &status):
		return fmt.Errorf("the API server no longer responds: %w", err)
	case r.names.run == "":
		return nil // the namespace belongs to a lab
	case apierrors.IsNotFound(err):
		return fmt.Errorf("namespace %s was deleted during the run; run the scenario again", r.names.namespace)
	case err == nil && namespace.DeletionTimestamp != nil:
		return fmt.Errorf("namespace %s was deleted during the run and is terminating; run the scenario again", r.names.namespace)
	}
	return nil
}

// routeStates collects the Ingresses that the controller considers for the request, with their
// Services. If the controller considers none, it collects all Ingresses.
func (r *runner) routeStates(ctx context.Context, d *Diagnostics, request *Expect) error {
	ingresses, err := r.env.Kube.Clientset().NetworkingV1().Ingresses(r.names.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	services, err := r.env.Kube.Clientset().CoreV1().Services(r.names.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	endpoints, err := r.env.Kube.Clientset().DiscoveryV1().EndpointSlices(r.names.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	considered := r.considered(ctx, request)
	about := slices.DeleteFunc(slices.Clone(ingresses.Items), func(i networkingv1.Ingress) bool { return !considered[i.Name] })
	if len(about) == 0 {
		about = ingresses.Items
	}
	named := map[string]bool{}
	for _, i := range about {
		d.Ingresses = append(d.Ingresses, ingressState(i))
		for _, service := range servicesNamed(i) {
			named[service] = true
		}
	}
	for _, s := range services.Items {
		if len(named) == 0 || named[s.Name] {
			d.Services = append(d.Services, serviceState(s, endpoints.Items))
		}
	}
	return nil
}

// considered returns the names of the Ingresses that the controller considers. It is nil if
// unknown.
func (r *runner) considered(ctx context.Context, request *Expect) map[string]bool {
	if request == nil || r.env.Controller == nil {
		return nil
	}
	e, err := explain.Explain(ctx, r.env.Controller, r.query(request))
	if err != nil {
		return nil // explanation reports the error
	}
	return e.Ingresses(r.names.namespace)
}

func servicesNamed(i networkingv1.Ingress) []string {
	var names []string
	add := func(b *networkingv1.IngressBackend) {
		if b != nil && b.Service != nil {
			names = append(names, b.Service.Name)
		}
	}
	add(i.Spec.DefaultBackend)
	for _, rule := range i.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for _, path := range rule.HTTP.Paths {
			add(&path.Backend)
		}
	}
	return names
}

func ingressState(i networkingv1.Ingress) IngressState {
	state := IngressState{Name: i.Name, Class: i.Annotations["kubernetes.io/ingress.class"], Addresses: addresses(&i)}
	if i.Spec.IngressClassName != nil {
		state.Class = *i.Spec.IngressClassName
	}
	for _, rule := range i.Spec.Rules {
		state.Rules = append(state.Rules, ruleLines(rule)...)
	}
	if backend := i.Spec.DefaultBackend; backend != nil {
		state.Rules = append(state.Rules, "default -> "+backendName(*backend))
	}
	return state
}

func ruleLines(rule networkingv1.IngressRule) []string {
	host := cmp.Or(rule.Host, "*")
	if rule.HTTP == nil {
		return []string{host + " -> the default backend"}
	}
	var lines []string
	for _, path := range rule.HTTP.Paths {
		kind := ""
		if path.PathType != nil && *path.PathType != networkingv1.PathTypePrefix {
			kind = fmt.Sprintf(" (%s)", *path.PathType)
		}
		lines = append(lines, fmt.Sprintf("%s%s%s -> %s", host, path.Path, kind, backendName(path.Backend)))
	}
	return lines
}

func backendName(b networkingv1.IngressBackend) string {
	switch {
	case b.Service == nil:
		return "a resource that is not a service"
	case b.Service.Port.Name != "":
		return b.Service.Name + ":" + b.Service.Port.Name
	}
	return fmt.Sprintf("%s:%d", b.Service.Name, b.Service.Port.Number)
}

func serviceState(s corev1.Service, endpoints []discoveryv1.EndpointSlice) ServiceState {
	state := ServiceState{Name: s.Name}
	state.Ready, state.NotReady = countEndpoints(endpoints, s.Name)
	for _, port := range s.Spec.Ports {
		text := fmt.Sprintf("%d -> %s", port.Port, port.TargetPort.String())
		if port.Name != "" {
			text = port.Name + " " + text
		}
		state.Ports = append(state.Ports, text)
	}
	return state
}

func (r *runner) podStates(ctx context.Context, d *Diagnostics) error {
	pods, err := r.env.Kube.Clientset().CoreV1().Pods(r.names.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		if trouble := kube.PodTrouble(&pods.Items[i]); trouble != "" {
			d.Pods = append(d.Pods, pods.Items[i].Name+" "+trouble)
		}
	}
	return nil
}

func (r *runner) eventLines(ctx context.Context, d *Diagnostics) error {
	events, err := r.env.Kube.Clientset().CoreV1().Events(r.names.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	d.Events = warnings(events.Items)
	return nil
}

// warnings returns the newest warnings, the oldest of them first.
func warnings(events []corev1.Event) []string {
	events = slices.DeleteFunc(events, func(e corev1.Event) bool { return e.Type != corev1.EventTypeWarning })
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
	var lines []string
	for _, e := range events[max(0, len(events)-maxEvents):] {
		times := ""
		if e.Count > 1 {
			times = fmt.Sprintf(" (%d times)", e.Count)
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s: %s%s", strings.ToLower(e.InvolvedObject.Kind), e.InvolvedObject.Name, e.Reason,
			strings.TrimSpace(e.Message), times))
	}
	return lines
}

// eventTime returns when an Event last occurred. The field depends on the API version that recorded
// it.
func eventTime(e corev1.Event) time.Time {
	for _, t := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time} {
		if !t.IsZero() {
			return t
		}
	}
	return e.CreationTimestamp.Time
}
