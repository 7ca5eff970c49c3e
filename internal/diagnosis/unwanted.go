package diagnosis

import (
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
)

// nobody is for a request that nobody should take: it finds the rule or the default back-end that does.
func (d *diagnosis) nobody(r Request, all []candidate, at int) {
	if at >= 0 && all[at].field != "spec.defaultBackend" {
		c := all[at]
		d.unwanted(c.ingress, c.field+".path", c.path.Path, fmt.Sprintf("has the path %s (%s), which takes %s%s", c.path.Path, c.kind(), r.Host, r.Path))
		return
	}
	for _, c := range all {
		if b := c.ingress.Spec.DefaultBackend; b != nil {
			d.unwanted(c.ingress, "spec.defaultBackend", serviceOf(*b), fmt.Sprintf("has a default back-end, which takes whatever its rules leave of %s", r.Host))
			return
		}
	}
	for n := range d.Ingresses {
		i := &d.Ingresses[n]
		if b := i.Spec.DefaultBackend; b != nil && len(i.Spec.Rules) == 0 && d.classFault(i) == nil {
			d.unwanted(i, "spec.defaultBackend", serviceOf(*b), "has a default back-end and no rules, so it takes whatever no rule of the cluster knows")
			return
		}
	}
}

func (d *diagnosis) unwanted(i *networkingv1.Ingress, field, observed, takes string) {
	name := i.Name
	if i.Namespace != d.Namespace {
		name = i.Namespace + "/" + i.Name
	}
	d.add(Finding{Code: RuleUnwanted, Object: "ingress/" + name, Field: field, Expected: "not there", Observed: observed,
		Text: fmt.Sprintf("ingress %s %s; here nobody should answer but the controller itself, with 404", name, takes)})
}
