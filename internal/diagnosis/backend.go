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

func (d *diagnosis) service(name string) *corev1.Service {
	for i := range d.Services {
		if d.Services[i].Name == name {
			return &d.Services[i]
		}
	}
	return nil
}

func (d *diagnosis) hasService(name string) bool { return d.service(name) != nil }

func (d *diagnosis) serviceNames() []string {
	var names []string
	for _, s := range d.Services {
		names = append(names, s.Name)
	}
	return names
}

// nearest is a name that was probably meant, in words to add to a sentence; empty if none is near.
func nearest(name string, there []string) (expected, text string) {
	if near := strictyaml.Nearest(name, there); near != "" {
		return near, fmt.Sprintf("; there is %q", near)
	}
	return "", ""
}

// backend follows a request from the rule that takes it to the pods.
func (d *diagnosis) backend(r Request, c candidate) {
	name := serviceOf(c.path.Backend)
	field := c.field + backendField(c) + ".service"
	s := d.service(name)
	if s == nil {
		expected, near := nearest(name, d.serviceNames())
		if d.hasService(r.Service) {
			expected, near = r.Service, fmt.Sprintf("; there is %q", r.Service)
		}
		code := ServiceMissing
		if c.field == "spec.defaultBackend" {
			code = DefaultBackendMissing
		}
		d.add(Finding{Code: code, Object: c.object(), Field: field + ".name", Expected: expected, Observed: name,
			Text: fmt.Sprintf("ingress %s sends %s to service %q, which is not in namespace %s%s", c.ingress.Name, c.path.Path, name, d.Namespace, near)})
		return
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		d.add(Finding{Code: EndpointsNone, Object: "service/" + s.Name, Field: "spec.type", Expected: "ClusterIP, with a selector", Observed: "ExternalName",
			Text: fmt.Sprintf("service %s is of type ExternalName: a name in the DNS (%s), without pods that the controller could send requests to", s.Name, s.Spec.ExternalName)})
		return
	}
	port := d.port(s, c, field+".port")
	if port == nil {
		return
	}
	d.pods(s, *port, r.Status == http.StatusBadGateway)
}

// port finds the port of the Service that the back-end names; nil after a finding.
func (d *diagnosis) port(s *corev1.Service, c candidate, field string) *corev1.ServicePort {
	want := networkingv1.ServiceBackendPort{}
	if c.path.Backend.Service != nil {
		want = c.path.Backend.Service.Port
	}
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
	f := Finding{Object: c.object()}
	switch {
	case want.Name == "":
		f.Code, f.Field, f.Expected, f.Observed = ServicePortMissing, field+".number", joined(numbers), strconv.Itoa(int(want.Number))
		f.Text = fmt.Sprintf("ingress %s asks for port %d of service %s, which has %s", c.ingress.Name, want.Number, s.Name, joined(numbers))
		for _, p := range s.Spec.Ports {
			if p.TargetPort.IntVal == want.Number {
				f.Text += fmt.Sprintf(" (%d is the port of its pods, targetPort; an Ingress names the Service's own)", want.Number)
			}
		}
	case d.hasService(want.Name):
		f.Code, f.Field, f.Expected, f.Observed = PortNameIsService, field+".name", joined(append(names, "number "+joined(numbers))), want.Name
		f.Text = fmt.Sprintf("ingress %s asks for the port called %q of service %s: that is the name of a service; its ports are %s",
			c.ingress.Name, want.Name, s.Name, portsOf(s))
	default:
		expected, near := nearest(want.Name, names)
		f.Code, f.Field, f.Expected, f.Observed = PortNameMissing, field+".name", expected, want.Name
		if expected == "" {
			f.Expected = joined(append(names, "number "+joined(numbers)))
		}
		f.Text = fmt.Sprintf("ingress %s asks for the port called %q of service %s, whose ports are %s%s", c.ingress.Name, want.Name, s.Name, portsOf(s), near)
	}
	d.add(f)
	return nil
}

func portsOf(s *corev1.Service) string {
	var all []string
	for _, p := range s.Spec.Ports {
		text := strconv.Itoa(int(p.Port))
		if p.Name != "" {
			text += fmt.Sprintf(" (called %q)", p.Name)
		} else {
			text += " (without a name)"
		}
		all = append(all, text)
	}
	return joined(all)
}

// pods looks for the pods behind a Service. failed says that a connection to them was tried in vain.
func (d *diagnosis) pods(s *corev1.Service, port corev1.ServicePort, failed bool) {
	if len(s.Spec.Selector) == 0 {
		if d.endpoints(s.Name) == 0 && s.Spec.Type != corev1.ServiceTypeExternalName {
			d.add(Finding{Code: EndpointsNone, Object: "service/" + s.Name, Field: "spec.selector", Expected: "a selector", Observed: "none",
				Text: fmt.Sprintf("service %s has no selector, and nobody has given it endpoints", s.Name)})
		}
		return
	}
	selected := d.selected(s)
	if len(selected) == 0 {
		d.nothingSelected(s)
		return
	}
	ready := 0
	for _, p := range selected {
		if isReady(p) {
			ready++
		}
	}
	switch {
	case ready == 0:
		d.notReady(fmt.Sprintf("service %s has %s, and none is ready", s.Name, text.Count(len(selected), "pod")), selected)
	case d.endpoints(s.Name) == 0:
		if !d.closedPort(s, port, selected, true) {
			d.add(Finding{Code: EndpointsNone, Object: "service/" + s.Name, Expected: "an endpoint", Observed: "none",
				Text: fmt.Sprintf("service %s selects %d ready pods and has no endpoint yet", s.Name, ready)})
		}
	default:
		d.closedPort(s, port, selected, failed)
	}
}

// selected are the pods that a Service selects and that are not on their way out.
func (d *diagnosis) selected(s *corev1.Service) []*corev1.Pod {
	selector := labels.SelectorFromSet(s.Spec.Selector)
	var all []*corev1.Pod
	for i := range d.Pods {
		p := &d.Pods[i]
		if p.DeletionTimestamp == nil && selector.Matches(labels.Set(p.Labels)) {
			all = append(all, p)
		}
	}
	return all
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// endpoints counts the ready endpoints of a Service. One that does not say whether it is ready is.
func (d *diagnosis) endpoints(service string) int {
	n := 0
	for _, slice := range d.EndpointSlices {
		if slice.Labels[discoveryv1.LabelServiceName] != service {
			continue
		}
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				n++
			}
		}
	}
	return n
}

// nothingSelected is for a Service without pods: they were scaled away, or their labels are others, or there never were any.
func (d *diagnosis) nothingSelected(s *corev1.Service) {
	selector := labels.SelectorFromSet(s.Spec.Selector)
	for _, w := range d.Deployments {
		if !selector.Matches(labels.Set(w.Spec.Template.Labels)) {
			continue
		}
		if w.Spec.Replicas != nil && *w.Spec.Replicas == 0 {
			d.add(scaledToZero(w, fmt.Sprintf(", so service %s has no endpoint", s.Name)))
			return
		}
		d.add(Finding{Code: PodsNotReady, Object: "deployment/" + w.Name, Expected: "pods", Observed: "none", Text: fmt.Sprintf(
			"deployment %s has no pod yet: %s", w.Name, conditionOf(w))})
		return
	}
	if len(d.Deployments) == 0 && len(d.Pods) == 0 {
		d.add(Finding{Code: DeploymentMissing, Object: "deployment/" + s.Name, Expected: "pods with " + s.Name + "'s labels", Observed: "no pods at all",
			Text: fmt.Sprintf("service %s selects pods with %s, and namespace %s has neither a Deployment nor a pod", s.Name, labels.Set(s.Spec.Selector), d.Namespace)})
		return
	}
	f := Finding{Code: SelectorMatchesNothing, Object: "service/" + s.Name, Field: "spec.selector", Observed: labels.Set(s.Spec.Selector).String()}
	f.Text = fmt.Sprintf("service %s selects pods with %s, and no pod has that", s.Name, labels.Set(s.Spec.Selector))
	if p := d.nearLabel(s); p != nil {
		f.Text += fmt.Sprintf("; pod %s has %s, so one of the two is misspelled", p.Name, labels.Set(p.Labels))
	} else if w := d.meantFor(s); w != nil {
		own := labels.Set(w.Spec.Template.Labels)
		f.Expected = own.String()
		f.Text += fmt.Sprintf("; those of deployment %s have %s", w.Name, own)
	}
	d.add(f)
}

// nearLabel is a pod, of no Deployment, that has a label of a Service's selector but for a typing error.
func (d *diagnosis) nearLabel(s *corev1.Service) *corev1.Pod {
	for i := range d.Pods {
		p := &d.Pods[i]
		if p.DeletionTimestamp != nil || strings.HasPrefix(ownerOf(p), "deployment/") {
			continue
		}
		for key, value := range s.Spec.Selector {
			if own := p.Labels[key]; own != value && strictyaml.Nearest(own, []string{value}) != "" {
				return p
			}
		}
	}
	return nil
}

// meantFor is the Deployment whose pods a Service was probably meant to select: one of the same name or a near one, or the only one, if
// no other Service selects its pods.
func (d *diagnosis) meantFor(s *corev1.Service) *appsv1.Deployment {
	var names []string
	for _, w := range d.Deployments {
		names = append(names, w.Name)
	}
	near := strictyaml.Nearest(s.Name, names)
	for i, w := range d.Deployments {
		free := len(d.Deployments) == 1 && !slices.ContainsFunc(d.Services, func(o corev1.Service) bool {
			return len(o.Spec.Selector) > 0 && labels.SelectorFromSet(o.Spec.Selector).Matches(labels.Set(w.Spec.Template.Labels))
		})
		if w.Name == s.Name || w.Name == near || free {
			return &d.Deployments[i]
		}
	}
	return nil
}

func scaledToZero(w appsv1.Deployment, more string) Finding {
	return Finding{Code: ScaledToZero, Object: "deployment/" + w.Name, Field: "spec.replicas", Expected: "1 or more", Observed: "0",
		Text: fmt.Sprintf("deployment %s is scaled to 0: it has no pod%s", w.Name, more)}
}

func conditionOf(w appsv1.Deployment) string {
	for _, c := range w.Status.Conditions {
		if c.Status != corev1.ConditionTrue || c.Type == appsv1.DeploymentReplicaFailure {
			return c.Message
		}
	}
	return "its controller has not made any"
}

// imageReasons are why a container waits for its image
// (https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff and the reasons beside it).
var imageReasons = []string{"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}

// cannotStart finds a pod whose image is not there.
func (d *diagnosis) cannotStart(pods []*corev1.Pod) bool {
	for _, p := range pods {
		for i, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if w := c.State.Waiting; w != nil && slices.Contains(imageReasons, w.Reason) {
				d.add(Finding{Code: ImageMissing, Object: ownerOf(p), Field: fmt.Sprintf("spec.containers[%d].image", i), Expected: "an image that the nodes have", Observed: c.Image,
					Text: fmt.Sprintf("pod %s cannot start: image %s: %s", p.Name, c.Image, w.Reason)})
				return true
			}
		}
	}
	return false
}

// notReady says why pods are not ready, after what that comes to.
func (d *diagnosis) notReady(what string, pods []*corev1.Pod) {
	if d.cannotStart(pods) {
		return
	}
	p := pods[0]
	d.add(Finding{Code: PodsNotReady, Object: ownerOf(p), Expected: "Ready", Observed: whyNotReady(p),
		Text: fmt.Sprintf("%s: %s: %s", what, p.Name, whyNotReady(p))})
}

// ownerOf is the Deployment of a pod, or the pod itself.
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
			return "container " + c.Name + " waits: " + c.State.Waiting.Reason
		case c.State.Terminated != nil:
			return fmt.Sprintf("container %s has ended with exit code %d", c.Name, c.State.Terminated.ExitCode)
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Status != corev1.ConditionTrue && c.Message != "" {
			return c.Message
		}
	}
	return "it is " + strings.ToLower(string(p.Status.Phase))
}

// closedPort finds a targetPort that the pods do not have. Containers need not say which ports they listen on, so a number that none
// of them says is a finding only if some say one, or if a request has failed (sure). A name has to be said.
func (d *diagnosis) closedPort(s *corev1.Service, port corev1.ServicePort, pods []*corev1.Pod, sure bool) bool {
	target := port.TargetPort
	if target.Type == intstr.Int && target.IntVal == 0 {
		target = intstr.FromInt32(port.Port)
	}
	listens := map[string]bool{}
	lack := 0
	for _, p := range pods {
		ports, has := portsOfPod(p, target)
		maps.Copy(listens, ports)
		if !has && (len(ports) > 0 || sure || target.Type == intstr.String) {
			lack++
		}
	}
	if lack == 0 {
		return false
	}
	ports := slices.Sorted(maps.Keys(listens))
	number := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == port.Port })
	f := Finding{Code: TargetPortClosed, Object: "service/" + s.Name, Field: fmt.Sprintf("spec.ports[%d].targetPort", max(number, 0)), Expected: strings.Join(ports, " or "),
		Observed: target.String(), Text: fmt.Sprintf("service %s sends requests to port %s of its pods, and they listen on %s", s.Name, target.String(), joined(ports))}
	switch {
	case lack < len(pods):
		f.Expected = "a port that all of them have"
		f.Text = fmt.Sprintf("service %s sends requests to port %s of its pods, and %d of the %d do not listen there; between them they have %s",
			s.Name, target.String(), lack, len(pods), joined(ports))
	case len(ports) == 0 && target.Type == intstr.String:
		f.Expected = "the number of the port that the program listens on"
		f.Text = fmt.Sprintf("service %s sends requests to the port called %q of its pods, and none of their containers gives a port that name", s.Name, target.StrVal)
	case len(ports) == 0:
		f.Expected = "the port that the program listens on"
		f.Text = fmt.Sprintf("service %s sends requests to port %s of its pods, and nobody answers there: they listen on another one", s.Name, target.String())
	}
	d.add(f)
	return true
}

// portsOfPod are the ports that a pod's containers say they listen on, by number and by name; has says that the target is among them.
func portsOfPod(p *corev1.Pod, target intstr.IntOrString) (ports map[string]bool, has bool) {
	ports = map[string]bool{}
	for _, c := range p.Spec.Containers {
		for _, own := range c.Ports {
			has = has || target.Type == intstr.String && own.Name == target.StrVal || target.Type == intstr.Int && own.ContainerPort == target.IntVal
			ports[strconv.Itoa(int(own.ContainerPort))] = true
			if own.Name != "" {
				ports[own.Name] = true
			}
		}
	}
	return ports, has
}

func joinedOr(list []string, otherwise string) string {
	if len(list) == 0 {
		return otherwise
	}
	return joined(list)
}
