package diagnosis

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// controllerSays passes on what the controller has said of Ingresses, Services and Secrets, the newest last, as far as it is still so.
func (d *diagnosis) controllerSays() {
	problems := d.problems()
	for _, e := range d.Events {
		kind := strings.ToLower(e.InvolvedObject.Kind)
		if e.Type != corev1.EventTypeWarning || kind != "ingress" && kind != "service" && kind != "secret" && kind != "configmap" {
			continue
		}
		if kind == "ingress" && !slices.ContainsFunc(problems, func(p routing.Problem) bool { return saysOf(e, p) }) {
			continue
		}
		object := kind + "/" + e.InvolvedObject.Name
		d.add(Finding{Code: ControllerSays, Object: object, Observed: e.Message,
			Text: "the controller says of " + kind + " " + e.InvolvedObject.Name + ": " + e.Message})
	}
}

// problems are what the controller would find wrong with what is there now. Events stay for an hour: one that tells of something else is of
// the past.
func (d *diagnosis) problems() []routing.Problem {
	s := routing.Snapshot{}
	for i := range d.Ingresses {
		s.Ingresses = append(s.Ingresses, &d.Ingresses[i])
	}
	for i := range d.Classes {
		s.IngressClasses = append(s.IngressClasses, &d.Classes[i])
	}
	for i := range d.Services {
		s.Services = append(s.Services, &d.Services[i])
	}
	for i := range d.EndpointSlices {
		s.EndpointSlices = append(s.EndpointSlices, &d.EndpointSlices[i])
	}
	for i := range d.Secrets {
		s.Secrets = append(s.Secrets, &d.Secrets[i])
	}
	_, problems := routing.Build(s, routing.Options{ControllerClass: controllerClass, WatchIngressWithoutClass: d.hasDefaultClass()}, nil)
	return problems
}

// saysOf tells whether an Event is about a problem. Nothing is said of the names of a certificate: tlsEntries has judged them.
func saysOf(e corev1.Event, p routing.Problem) bool {
	o := e.InvolvedObject
	return e.Reason == p.Code && p.Code != routing.CodeCertificateName && strings.HasPrefix(e.Message, p.Field+": ") &&
		o.Kind == p.Object.Kind && o.Namespace == p.Object.Namespace && o.Name == p.Object.Name &&
		(o.UID == "" || p.Object.UID == "" || string(o.UID) == p.Object.UID)
}

// hasDefaultClass tells whether one of our classes is for Ingresses that name none.
func (d *diagnosis) hasDefaultClass() bool {
	return slices.ContainsFunc(d.Classes, func(c networkingv1.IngressClass) bool {
		return slices.Contains(d.ours, c.Name) && c.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true"
	})
}
