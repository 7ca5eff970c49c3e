package diagnosis

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
	"github.com/ingresslab/ingresslab/internal/text"
)

func count(pods int) string { return text.Count(pods, "pod") }

// backend follows a request from its backend in an Ingress to the pods.
func (d *diagnosis) backend(r Request, t target) {
	s := d.service(t.service())
	switch {
	case s == nil:
		d.noService(t.ingress, t.field+".service.name", t.service(), r.Service, "for "+t.path)
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		d.reportf(EndpointsNone, "service/"+s.Name, "spec.type", "ClusterIP, with a selector", "ExternalName",
			"service %s has type ExternalName: it is a DNS name (%s), without pods that the controller could send requests to", s.Name,
			s.Spec.ExternalName)
	default:
		if port := d.port(s, t); port != nil {
			d.pods(s, *port, r.Status == http.StatusBadGateway)
		}
	}
}

// noService reports that an Ingress refers to a missing Service. expected is the Service that the
// task expects. It is empty if unknown.
func (d *diagnosis) noService(i *networkingv1.Ingress, field, name, expected, use string) {
	near := ""
	if d.hasService(expected) {
		near = fmt.Sprintf("; there is %q", expected)
	} else {
		expected, near = nearest(name, d.serviceNames())
	}
	code := ServiceMissing
	if !strings.HasPrefix(field, "spec.rules") {
		code = DefaultBackendMissing
	}
	d.reportf(code, "ingress/"+i.Name, field, expected, name, "ingress %s has service %q %s, which is not in namespace %s%s", i.Name,
		name, use, d.Namespace, near)
}

// port returns the Service port that a backend refers to, or nil after it has reported a finding.
func (d *diagnosis) port(s *corev1.Service, t target) *corev1.ServicePort {
	want := t.backend.Service.Port
	var names, numbers []string
	for i, p := range s.Spec.Ports {
		if want.Name != "" && p.Name == want.Name || want.Name == "" && p.Port == want.Number {
			return &s.Spec.Ports[i]
		}
		numbers = append(numbers, strconv.Itoa(int(p.Port)))
		if p.Name != "" {
			names = append(names, p.Name)
		}
	}
	all := joined(append(slices.Clone(names), "number "+joined(numbers)))
	f := Finding{Code: PortNameMissing, Object: "ingress/" + t.ingress.Name, Field: t.field + ".service.port.name", Observed: want.Name}
	switch {
	case want.Name == "":
		f.Code, f.Field, f.Expected, f.Observed = ServicePortMissing, t.field+".service.port.number", joined(numbers),
			strconv.Itoa(int(want.Number))
		f.Text = fmt.Sprintf("ingress %s refers to port %d of service %s, which has %s", t.ingress.Name, want.Number, s.Name, joined(numbers))
		if slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.TargetPort.IntVal == want.Number }) {
			f.Text += fmt.Sprintf(" (%d is its targetPort, the port of the pods; an Ingress refers to the Service's own port)", want.Number)
		}
	case d.hasService(want.Name):
		f.Code, f.Expected = PortNameIsService, all
		f.Text = fmt.Sprintf("ingress %s refers to the port named %q of service %s: that is the name of a Service; its ports are %s",
			t.ingress.Name, want.Name, s.Name, portsOf(s))
	default:
		expected, near := nearest(want.Name, names)
		if f.Expected = expected; expected == "" {
			f.Expected = all
		}
		f.Text = fmt.Sprintf("ingress %s refers to the port named %q of service %s, whose ports are %s%s", t.ingress.Name, want.Name, s.Name,
			portsOf(s), near)
	}
	d.add(f)
	return nil
}

func portsOf(s *corev1.Service) string {
	return joined(names(s.Spec.Ports, func(p *corev1.ServicePort) string {
		if p.Name == "" {
			return fmt.Sprintf("%d (without a name)", p.Port)
		}
		return fmt.Sprintf("%d (named %q)", p.Port, p.Name)
	}))
}

// pods finds what is wrong with the pods of a Service. failed is set if a connection to them
// failed.
func (d *diagnosis) pods(s *corev1.Service, port corev1.ServicePort, failed bool) {
	if len(s.Spec.Selector) == 0 {
		if d.endpoints(s.Name) == 0 && s.Spec.Type != corev1.ServiceTypeExternalName {
			d.reportf(EndpointsNone, "service/"+s.Name, "spec.selector", "a selector", "none",
				"service %s has neither a selector nor endpoints", s.Name)
		}
		return
	}
	selector := labels.SelectorFromSet(s.Spec.Selector)
	selected := slices.DeleteFunc(pointers(d.Pods), func(p *corev1.Pod) bool {
		return p.DeletionTimestamp != nil || !selector.Matches(labels.Set(p.Labels))
	})
	switch {
	case len(selected) == 0:
		d.nothingSelected(s)
	case !slices.ContainsFunc(selected, isReady):
		d.notReady(fmt.Sprintf("service %s has %s, and none is ready", s.Name, count(len(selected))), selected)
	case d.endpoints(s.Name) > 0:
		d.closedPort(s, port, selected, failed)
	case !d.closedPort(s, port, selected, true):
		d.reportf(EndpointsNone, "service/"+s.Name, "", "an endpoint", "none",
			"service %s selects ready pods, but has no endpoint yet", s.Name)
	}
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// endpoints counts the ready endpoints of a Service. An absent condition means ready.
func (d *diagnosis) endpoints(service string) int {
	n := 0
	for _, slice := range d.EndpointSlices {
		for _, e := range slice.Endpoints {
			if slice.Labels[discoveryv1.LabelServiceName] == service && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				n++
			}
		}
	}
	return n
}

// nothingSelected is for a Service without pods: they were scaled away, have other labels, or never
// existed.
func (d *diagnosis) nothingSelected(s *corev1.Service) {
	selector := labels.SelectorFromSet(s.Spec.Selector)
	wanted := labels.Set(s.Spec.Selector).String()
	for _, w := range d.Deployments {
		switch {
		case !selector.Matches(labels.Set(w.Spec.Template.Labels)):
			continue
		case w.Spec.Replicas != nil && *w.Spec.Replicas == 0:
			d.scaledToZero(w, fmt.Sprintf(", so service %s has no endpoint", s.Name))
		default:
			d.reportf(PodsNotReady, "deployment/"+w.Name, "", "pods", "none", "deployment %s has no pod yet: %s", w.Name,
				conditionOf(w))
		}
		return
	}
	if len(d.Deployments) == 0 && len(d.Pods) == 0 {
		d.reportf(DeploymentMissing, "deployment/"+s.Name, "", "pods with "+s.Name+"'s labels", "no pods at all",
			"service %s selects pods with %s, and namespace %s has neither a Deployment nor a pod", s.Name, wanted, d.Namespace)
		return
	}
	f := Finding{Code: SelectorMatchesNothing, Object: "service/" + s.Name, Field: "spec.selector", Observed: wanted,
		Text: fmt.Sprintf("service %s selects pods with %s, and no pod has these labels", s.Name, wanted)}
	if p := find(pointers(d.Pods), func(p *corev1.Pod) bool { return isNearLabel(s, p) }); p != nil {
		f.Text += fmt.Sprintf("; pod %s has %s, so one of the two is misspelled", p.Name, labels.Set(p.Labels))
	} else if w := d.meantFor(s); w != nil {
		f.Expected = labels.Set(w.Spec.Template.Labels).String()
		f.Text += fmt.Sprintf("; those of deployment %s have %s", w.Name, f.Expected)
	}
	d.add(f)
}

// isNearLabel reports whether a pod without a Deployment has a label of the selector, except for a
// typing error.
func isNearLabel(s *corev1.Service, p *corev1.Pod) bool {
	for key, value := range s.Spec.Selector {
		if own := p.Labels[key]; own != value && strictyaml.Nearest(own, []string{value}) != "" {
			return p.DeletionTimestamp == nil && !strings.HasPrefix(ownerOf(p), "deployment/")
		}
	}
	return false
}

func deploymentName(w *appsv1.Deployment) string { return w.Name }

// meantFor returns the Deployment whose pods a Service should probably select: one with the same or
// a similar name, or the only one if no other Service selects its pods.
func (d *diagnosis) meantFor(s *corev1.Service) *appsv1.Deployment {
	near := strictyaml.Nearest(s.Name, names(d.Deployments, deploymentName))
	return find(pointers(d.Deployments), func(w *appsv1.Deployment) bool {
		selects := func(o corev1.Service) bool {
			return len(o.Spec.Selector) > 0 && labels.SelectorFromSet(o.Spec.Selector).Matches(labels.Set(w.Spec.Template.Labels))
		}
		return w.Name == s.Name || w.Name == near || len(d.Deployments) == 1 && !slices.ContainsFunc(d.Services, selects)
	})
}

func (d *diagnosis) scaledToZero(w appsv1.Deployment, more string) {
	d.reportf(ScaledToZero, "deployment/"+w.Name, "spec.replicas", "1 or more", "0", "deployment %s is scaled to 0: it has no pod%s",
		w.Name, more)
}

func conditionOf(w appsv1.Deployment) string {
	for _, c := range w.Status.Conditions {
		if c.Status != corev1.ConditionTrue || c.Type == appsv1.DeploymentReplicaFailure {
			return c.Message
		}
	}
	return "its controller has not created any"
}

// imageReasons are the reasons why a container waits for its image,
// https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff.
var imageReasons = []string{"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}

// cannotStart finds a pod whose image is missing.
func (d *diagnosis) cannotStart(pods []*corev1.Pod) bool {
	for _, p := range pods {
		for i, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if w := c.State.Waiting; w != nil && slices.Contains(imageReasons, w.Reason) {
				d.reportf(ImageMissing, ownerOf(p), fmt.Sprintf("spec.containers[%d].image", i), "an image that the nodes have", c.Image,
					"pod %s cannot start: image %s: %s", p.Name, c.Image, w.Reason)
				return true
			}
		}
	}
	return false
}

// notReady reports why the first pod is not ready. what is the beginning of the sentence.
func (d *diagnosis) notReady(what string, pods []*corev1.Pod) {
	if !d.cannotStart(pods) {
		p := pods[0]
		d.reportf(PodsNotReady, ownerOf(p), "", "Ready", whyNotReady(p), "%s: %s: %s", what, p.Name, whyNotReady(p))
	}
}

// ownerOf returns the Deployment of a pod, or the pod itself.
func ownerOf(p *corev1.Pod) string {
	for _, o := range p.OwnerReferences {
		if hash := p.Labels[appsv1.DefaultDeploymentUniqueLabelKey]; o.Kind == "ReplicaSet" && hash != "" {
			return "deployment/" + strings.TrimSuffix(o.Name, "-"+hash)
		}
		if o.Kind != "ReplicaSet" {
			return strings.ToLower(o.Kind) + "/" + o.Name
		}
	}
	return "pod/" + p.Name
}

func whyNotReady(p *corev1.Pod) string {
	for _, c := range p.Status.ContainerStatuses {
		switch {
		case c.State.Waiting != nil && c.State.Waiting.Reason != "":
			return "container " + c.Name + " is waiting: " + c.State.Waiting.Reason
		case c.State.Terminated != nil:
			return fmt.Sprintf("container %s exited with code %d", c.Name, c.State.Terminated.ExitCode)
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Status != corev1.ConditionTrue && c.Message != "" {
			return c.Message
		}
	}
	return "its phase is " + string(p.Status.Phase)
}

// closedPort finds a targetPort that the pods do not have. Containers need not declare their ports,
// so a number that none of them declares is a finding only if some declare one, or if a request has
// failed (sure). A name must be declared.
func (d *diagnosis) closedPort(s *corev1.Service, port corev1.ServicePort, pods []*corev1.Pod, sure bool) bool {
	target := port.TargetPort
	if target.Type == intstr.Int && target.IntVal == 0 {
		target = intstr.FromInt32(port.Port)
	}
	declared, without := map[string]bool{}, 0
	for _, p := range pods {
		own := portsOfPod(p)
		maps.Copy(declared, own)
		if !own[target.String()] && (len(own) > 0 || sure || target.Type == intstr.String) {
			without++
		}
	}
	if without == 0 {
		return false
	}
	ports := slices.Sorted(maps.Keys(declared))
	number := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == port.Port })
	f := Finding{Code: TargetPortClosed, Object: "service/" + s.Name, Field: fmt.Sprintf("spec.ports[%d].targetPort", max(number, 0)),
		Observed: target.String(),
		Expected: strings.Join(ports, " or "), Text: fmt.Sprintf("service %s sends requests to port %s of its pods", s.Name, target.String())}
	switch {
	case without < len(pods):
		f.Expected = "a port that all of them have"
		f.Text += fmt.Sprintf(", and %d of the %d do not listen there; together they have %s", without, len(pods), joined(ports))
	case len(ports) > 0:
		f.Text += ", and they listen on " + joined(ports)
	case target.Type == intstr.String:
		f.Expected = "the number of the port that the program listens on"
		f.Text = fmt.Sprintf("service %s sends requests to the port named %q of its pods, and none of their containers has a port with that "+
			"name", s.Name, target.StrVal)
	default:
		f.Expected = "the port that the program listens on"
		f.Text += ", and no program listens there: it listens on another port"
	}
	d.add(f)
	return true
}

// portsOfPod returns the ports that a pod's containers declare, by number and by name.
func portsOfPod(p *corev1.Pod) map[string]bool {
	ports := map[string]bool{}
	for _, c := range p.Spec.Containers {
		for _, own := range c.Ports {
			ports[strconv.Itoa(int(own.ContainerPort))] = true
			if own.Name != "" {
				ports[own.Name] = true
			}
		}
	}
	return ports
}
