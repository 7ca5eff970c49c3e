package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// named looks for the objects that have to be there.
func (d *diagnosis) named() {
	for _, object := range d.about.Objects {
		kind, name, _ := strings.Cut(object, "/")
		switch kind {
		case "deployment":
			d.deployment(name)
		case "service":
			if s := d.service(name); s == nil {
				d.missing(ServiceMissing, "service", name, d.serviceNames())
			} else {
				d.pods(s, firstPort(s), false)
			}
		case "ingress":
			var names []string
			for _, i := range d.own() {
				names = append(names, i.Name)
				if fault := d.classFault(i); i.Name == name && fault != nil {
					d.add(*fault)
				}
			}
			if !slices.Contains(names, name) {
				d.missing(IngressMissing, "ingress", name, names)
			}
		case "secret":
			if d.secret(name) == nil {
				d.missing(SecretMissing, "secret", name, d.secretNames())
			}
		}
	}
}

func firstPort(s *corev1.Service) corev1.ServicePort {
	if len(s.Spec.Ports) == 0 {
		return corev1.ServicePort{}
	}
	return s.Spec.Ports[0]
}

func (d *diagnosis) missing(code, kind, name string, there []string) {
	_, near := nearest(name, there)
	if near == "" && len(there) > 0 && len(there) <= 4 {
		near = "; there is " + joined(there)
	}
	d.add(Finding{Code: code, Object: kind + "/" + name, Expected: name, Observed: joinedOr(there, "none"),
		Text: fmt.Sprintf("there is no %s %s in namespace %s%s", kind, name, d.Namespace, near)})
}

// deployment says why a Deployment has no pod that is ready; it finds nothing if it has.
func (d *diagnosis) deployment(name string) {
	var names []string
	for _, w := range d.Deployments {
		names = append(names, w.Name)
		if w.Name != name {
			continue
		}
		var pods []*corev1.Pod
		for i := range d.Pods {
			if p := &d.Pods[i]; ownerOf(p) == "deployment/"+name && p.DeletionTimestamp == nil {
				pods = append(pods, p)
			}
		}
		switch {
		case w.Spec.Replicas != nil && *w.Spec.Replicas == 0:
			d.add(scaledToZero(w, ""))
		case len(pods) > 0 && !slices.ContainsFunc(pods, isReady):
			d.notReady(&corev1.Service{}, pods)
		}
		return
	}
	d.missing(DeploymentMissing, "deployment", name, names)
}

// nodePorts looks for the Services that make nodes listen.
func (d *diagnosis) nodePorts() {
	for _, want := range d.about.NodePorts {
		var there []string
		found := false
		for _, s := range slices.Concat(d.Services, d.System) {
			for _, p := range s.Spec.Ports {
				if p.NodePort != 0 {
					there = append(there, fmt.Sprintf("%d (service %s/%s)", p.NodePort, s.Namespace, s.Name))
				}
				found = found || p.NodePort == want
			}
		}
		if !found {
			d.add(Finding{Code: NodePortMissing, Object: "service/*", Field: "spec.ports[0].nodePort", Expected: fmt.Sprint(want), Observed: joinedOr(there, "none"),
				Text: fmt.Sprintf("no Service has the node port %d; the node ports there are: %s", want, joinedOr(there, "none"))})
		}
	}
}
