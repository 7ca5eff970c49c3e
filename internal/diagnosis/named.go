package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/internal/text"
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
			if !slices.Contains(names, name) && !d.elsewhere(name) {
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

// elsewhere finds an Ingress of a name that is in another namespace, and is for a host that is asked for.
func (d *diagnosis) elsewhere(name string) bool {
	for _, i := range d.Ingresses {
		asked := slices.ContainsFunc(i.Spec.Rules, func(rule networkingv1.IngressRule) bool {
			return slices.ContainsFunc(d.about.Requests, func(r Request) bool { return rank(rule.Host, r.Host) > 1 })
		})
		if i.Name == name && i.Namespace != d.Namespace && asked {
			d.add(wrongNamespace(i.Name, i.Namespace, d.Namespace, ""))
			return true
		}
	}
	return false
}

// wrongNamespace says that an Ingress is not where it should be.
func wrongNamespace(name, is, should, host string) Finding {
	text := fmt.Sprintf("ingress %s is in namespace %s, and looks for Services there; it should be in %s", name, is, should)
	if host != "" {
		text = fmt.Sprintf("no Ingress in namespace %s has a rule for host %s; ingress %s/%s has one, and looks for Services in its own namespace", should, host, is, name)
	}
	return Finding{Code: IngressMissing, Object: "ingress/" + name, Field: "metadata.namespace", Expected: should, Observed: is, Text: text}
}

// starting is how long a pod may take to become ready beside others that are.
const starting = 4 * time.Second

// deployment says why a Deployment has no pod that is ready, or why its new ones are not.
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
			d.notReady(fmt.Sprintf("deployment %s has %s, and none is ready", name, text.Count(len(pods), "pod")), pods)
		case !d.cannotStart(pods):
			// The old pods of a rollout go on while the new ones cannot come.
			late := slices.DeleteFunc(pods, func(p *corev1.Pod) bool { return isReady(p) || d.Now.Sub(p.CreationTimestamp.Time) < starting })
			if len(late) > 0 {
				d.notReady(fmt.Sprintf("deployment %s has %s not ready, beside others that are", name, text.Count(len(late), "pod")), late)
			}
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
