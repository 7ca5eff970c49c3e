package diagnosis

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// build returns the table and the problems that the controller would have for the snapshot with
// these Ingresses. It uses the options in manifests/kind.
func (d *diagnosis) build(ingresses []*networkingv1.Ingress) (*routing.Table, []routing.Problem) {
	s := routing.Snapshot{
		Ingresses: ingresses, IngressClasses: pointers(d.Classes), Services: pointers(d.Services),
		EndpointSlices: pointers(d.EndpointSlices), Secrets: pointers(d.Secrets),
	}
	o := d.options()
	if d.ConfigMap != nil {
		s.ConfigMaps = append(s.ConfigMaps, d.ConfigMap)
		o.ConfigMap = types.NamespacedName{Namespace: d.ConfigMap.Namespace, Name: d.ConfigMap.Name}
	}
	return routing.Build(s, o, nil)
}

func (d *diagnosis) options() routing.Options {
	return routing.Options{ControllerClass: controllerClass, IngressClass: "nginx"}
}

func pointers[T any](list []T) []*T {
	all := make([]*T, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	return all
}

// suppose returns the table that the controller would make if the Ingresses of the namespace were
// changed.
func (d *diagnosis) suppose(change func(*networkingv1.Ingress)) *routing.Table {
	all := pointers(d.Ingresses)
	for i, ingress := range all {
		if ingress.Namespace == d.Namespace {
			all[i] = ingress.DeepCopy()
			change(all[i])
		}
	}
	table, _ := d.build(all)
	return table
}

// explained is what the controller reports about one request.
type explained struct {
	route *routing.Route // route is the route that won, or nil if none did
	// rules are the rules of the request's host, in the order in which the controller tries them.
	// lost are the rules that lost a conflict with one of them.
	rules, lost []routing.Candidate
}

func explain(table *routing.Table, r Request) explained {
	decision, candidates := table.Explain(routing.Request{Method: http.MethodGet, Host: r.Host, Path: r.Path, TLS: r.TLS, Random: 0.5})
	e := explained{route: decision.Route}
	for _, c := range candidates {
		switch {
		case c.Canary != nil || c.Route.PathType == "" || c.Why.Cause == routing.OtherHost:
		case slices.Contains([]*routing.Cause{routing.RuleTwice, routing.RuleTakenByLonger, routing.RuleTakenByOlder}, c.Why.Cause):
			e.lost = append(e.lost, c)
		default:
			e.rules = append(e.rules, c)
		}
	}
	return e
}

func serviceOfRoute(r *routing.Route) string { return r.Pool.Service.Name }

// own returns the Ingresses of the namespace.
func (d *diagnosis) own() []*networkingv1.Ingress {
	return slices.DeleteFunc(pointers(d.Ingresses), func(i *networkingv1.Ingress) bool { return i.Namespace != d.Namespace })
}

// ingress returns an Ingress of the namespace, or nil if there is none.
func (d *diagnosis) ingress(name string) *networkingv1.Ingress {
	return find(d.own(), func(i *networkingv1.Ingress) bool { return i.Name == name })
}

// find returns the first match in list, or nil if there is none.
func find[T any](list []*T, match func(*T) bool) *T {
	if at := slices.IndexFunc(list, match); at >= 0 {
		return list[at]
	}
	return nil
}

func isCanary(i *networkingv1.Ingress) bool {
	options, _ := annotations.Parse(i.Annotations, annotations.DefaultSettings().Options)
	return options.Canary.Enabled
}

// classFault returns why the controller does not serve an Ingress, or nil if it does.
func (d *diagnosis) classFault(i *networkingv1.Ingress) *Finding {
	const field = "spec.ingressClassName"
	why := routing.Unclaimed(i, pointers(d.Classes), d.options())
	name, where := why.Args()["class"], field
	if i.Spec.IngressClassName == nil {
		where = "the annotation kubernetes.io/ingress.class"
	}
	f := &Finding{Object: "ingress/" + i.Name, Field: field, Expected: d.class(), Observed: name}
	has := fmt.Sprintf("ingress %s has the class %q in %s, ", i.Name, name, where)
	switch why.Cause {
	case routing.ClassMissing:
		f.Code, f.Observed = ClassMissing, "none"
		f.Text = fmt.Sprintf("ingress %s has no %s, so no controller serves it; set the class %s", i.Name, field, d.class())
	case routing.ClassUnknown:
		f.Code, f.Text = ClassUnknown, has+"and no IngressClass has that name; use the class "+d.class()
	case routing.ClassForeign:
		f.Code = ClassForeign
		f.Text = fmt.Sprintf("%swhich belongs to another controller (%s); use the class %s", has, why.Args()["controller"], d.class())
	default:
		return nil
	}
	return f
}

// reportClass reports whether the controller does not serve an Ingress, and adds the finding.
func (d *diagnosis) reportClass(i *networkingv1.Ingress) bool {
	fault := d.classFault(i)
	if fault != nil {
		d.add(*fault)
	}
	return fault != nil
}

// class returns the name of the lab's class, which is the longest name of the controller's classes.
func (d *diagnosis) class() string {
	name := ""
	for _, c := range d.Classes {
		if c.Spec.Controller == controllerClass && (len(c.Name) > len(name) || len(c.Name) == len(name) && c.Name < name) {
			name = c.Name
		}
	}
	return cmp.Or(name, "ingresslab")
}

// target is a backend in an Ingress.
type target struct {
	ingress *networkingv1.Ingress
	// field is the backend's field: spec.rules[0].http.paths[1].backend or spec.defaultBackend.
	// path is the path whose requests go to the backend.
	field, path string
	backend     networkingv1.IngressBackend
}

func (t target) service() string { return serviceOf(t.backend) }

func serviceOf(b networkingv1.IngressBackend) string {
	if b.Service == nil {
		return ""
	}
	return b.Service.Name
}

// targets returns the backends of the rule with number n. A rule without paths uses the default
// backend.
func targets(i *networkingv1.Ingress, n int) []target {
	var all []target
	if h := i.Spec.Rules[n].HTTP; h != nil {
		for p, path := range h.Paths {
			all = append(all, target{i, fmt.Sprintf("spec.rules[%d].http.paths[%d].backend", n, p), path.Path, path.Backend})
		}
	} else if b := i.Spec.DefaultBackend; b != nil {
		all = append(all, target{i, "spec.defaultBackend", "/", *b})
	}
	return all
}

// sendsTo reports whether a path of the rule with number n has the Service as its backend.
func sendsTo(i *networkingv1.Ingress, n int, service string) bool {
	return service != "" && slices.ContainsFunc(targets(i, n), func(t target) bool { return t.service() == service })
}

// targetOf returns the backend of a route. It returns false if the Ingress is not in the namespace.
func (d *diagnosis) targetOf(r *routing.Route) (target, bool) {
	i := d.ingress(r.Ingress.Name)
	if i == nil || r.Ingress.Namespace != d.Namespace {
		return target{}, false
	}
	if r.PathType == "" && i.Spec.DefaultBackend != nil {
		return target{i, r.Field, "/", *i.Spec.DefaultBackend}, true
	}
	for n := range i.Spec.Rules {
		for _, t := range targets(i, n) {
			if t.field == r.Field+".backend" {
				return t, true
			}
		}
	}
	return target{}, false
}

// ruleField returns the part of a field that names the rule: spec.rules[0].
func ruleField(field string) string {
	rule, _, _ := strings.Cut(field, ".http")
	return rule
}
