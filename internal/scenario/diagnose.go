package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/kube"
)

// diagnoseTimeout bounds the collection of diagnostics.
const diagnoseTimeout = 5 * time.Second

// maxEvents is how many warnings a failure shows; the newest say most.
const maxEvents = 5

// Diagnostics is what the namespace looked like when a step failed.
type Diagnostics struct {
	Ingresses []IngressState `json:"ingresses,omitempty"`
	Services  []ServiceState `json:"services,omitempty"`
	// Pods has a line for each pod that is not Ready.
	Pods []string `json:"pods,omitempty"`
	// Events has a line for each of the newest warnings.
	Events []string `json:"events,omitempty"`
	// Error says what could not be collected.
	Error string `json:"error,omitempty"`
}

// IngressState is an Ingress in few words.
type IngressState struct {
	Name string `json:"name"`
	// Class is what the Ingress names; empty if it names none.
	Class     string   `json:"class,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	// Rules has a line for each path: "cheddar.test/ -> cheddar:80".
	Rules []string `json:"rules,omitempty"`
}

// ServiceState is a Service in few words.
type ServiceState struct {
	Name string `json:"name"`
	// Ports has an entry for each port: "http 80 -> 8080".
	Ports    []string `json:"ports,omitempty"`
	Ready    int      `json:"ready"`
	NotReady int      `json:"notReady,omitempty"`
}

// diagnose collects what explains a failure. What cannot be had is left out and said.
func (r *runner) diagnose(ctx context.Context) *Diagnostics {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnoseTimeout)
	defer cancel()
	d := &Diagnostics{}
	for _, collect := range []func(context.Context, *Diagnostics) error{r.ingressStates, r.serviceStates, r.podStates, r.eventLines} {
		if err := collect(ctx, d); err != nil {
			d.Error = err.Error()
			break
		}
	}
	return d
}

func (r *runner) ingressStates(ctx context.Context, d *Diagnostics) error {
	list, err := r.env.Kube.Clientset().NetworkingV1().Ingresses(r.names.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		ingress := &list.Items[i]
		state := IngressState{Name: ingress.Name, Class: ingress.Annotations["kubernetes.io/ingress.class"], Addresses: addresses(ingress)}
		if ingress.Spec.IngressClassName != nil {
			state.Class = *ingress.Spec.IngressClassName
		}
		for _, rule := range ingress.Spec.Rules {
			state.Rules = append(state.Rules, ruleLines(rule)...)
		}
		if backend := ingress.Spec.DefaultBackend; backend != nil {
			state.Rules = append(state.Rules, "default -> "+backendName(*backend))
		}
		d.Ingresses = append(d.Ingresses, state)
	}
	return nil
}

func ruleLines(rule networkingv1.IngressRule) []string {
	host := rule.Host
	if host == "" {
		host = "*"
	}
	if rule.HTTP == nil {
		return []string{host + " -> the default back-end"}
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

func (r *runner) serviceStates(ctx context.Context, d *Diagnostics) error {
	services, err := r.env.Kube.Clientset().CoreV1().Services(r.names.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	endpoints, err := r.env.Kube.Clientset().DiscoveryV1().EndpointSlices(r.names.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, service := range services.Items {
		state := ServiceState{Name: service.Name}
		state.Ready, state.NotReady = countEndpoints(endpoints.Items, service.Name)
		for _, port := range service.Spec.Ports {
			text := fmt.Sprintf("%d -> %s", port.Port, port.TargetPort.String())
			if port.Name != "" {
				text = port.Name + " " + text
			}
			state.Ports = append(state.Ports, text)
		}
		d.Services = append(d.Services, state)
	}
	return nil
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

// eventTime is when an Event was last seen; which field says so depends on the API through which it was recorded.
func eventTime(e corev1.Event) time.Time {
	for _, t := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time} {
		if !t.IsZero() {
			return t
		}
	}
	return e.CreationTimestamp.Time
}
