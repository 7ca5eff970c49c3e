package diagnosis

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// call follows what a pod asks a Service for.
func (d *diagnosis) call(c Call) {
	s := d.service(c.Service)
	if s == nil {
		d.missing(ServiceMissing, "service", c.Service, d.serviceNames())
		return
	}
	at := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == c.Port })
	if at >= 0 {
		d.pods(s, s.Spec.Ports[at], c.Failed)
		return
	}
	if s.Spec.ClusterIP == corev1.ClusterIPNone { // nobody translates ports: it is the pods' that is asked for
		d.pods(s, corev1.ServicePort{Port: c.Port}, false)
	}
	d.add(Finding{Code: ServicePortMissing, Object: "service/" + s.Name, Field: "spec.ports[0].port", Expected: fmt.Sprint(c.Port), Observed: portsOf(s),
		Text: fmt.Sprintf("service %s is asked for port %d, and has %s", s.Name, c.Port, portsOf(s))})
}
