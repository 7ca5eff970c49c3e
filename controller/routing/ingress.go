package routing

import (
	"fmt"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// ingress is one Ingress on its way into the Table.
type ingress struct {
	*networkingv1.Ingress
	ref    ObjectRef
	name   types.NamespacedName
	policy *Policy
}

// addIngress takes one Ingress in: its annotations, then its rules, then its default back-end.
func (b *builder) addIngress(object *networkingv1.Ingress) {
	options, faults := annotations.Parse(object.Annotations, b.settings.Options)
	ing := &ingress{
		Ingress: object,
		ref:     refOf("Ingress", object),
		name:    types.NamespacedName{Namespace: object.Namespace, Name: object.Name},
	}
	for _, f := range faults {
		b.found.add(ing.ref, fmt.Sprintf("metadata.annotations[%s]", f.Name), f.Code, f.Reason)
	}
	ing.policy = b.policy(ing, options)
	if options.Canary.Enabled {
		// It refines another Ingress's routes. As a main route it would take all of the traffic.
		return
	}
	b.claimHosts(ing)
	b.addTLS(ing)
	if len(ing.Spec.Rules) == 0 && ing.Spec.DefaultBackend == nil {
		b.found.add(ing.ref, "spec", CodeEmptyIngress, "there are neither rules nor a defaultBackend")
	}
	for i := range ing.Spec.Rules {
		b.addRule(ing, i)
	}
	b.addIngressDefault(ing)
}

// addRule takes one rule in. Its host is taken even if none of its paths is good: a host with a broken rule must not
// fall to whoever has the wildcard.
func (b *builder) addRule(ing *ingress, i int) {
	rule, field := &ing.Spec.Rules[i], "spec.rules["+strconv.Itoa(i)+"]"
	name, err := ruleHost(rule.Host)
	if err != nil {
		b.found.add(ing.ref, field+".host", CodeInvalidHost, err.Error())
		return
	}
	h := b.host(name)
	if rule.HTTP == nil || len(rule.HTTP.Paths) == 0 {
		if ing.Spec.DefaultBackend == nil {
			b.found.add(ing.ref, field+".http", CodeRuleWithoutPaths, "the rule has no paths, and the Ingress no defaultBackend to serve its host")
		}
		return
	}
	for j := range rule.HTTP.Paths {
		b.addPath(ing, h, &rule.HTTP.Paths[j], field+".http.paths["+strconv.Itoa(j)+"]")
	}
}

func (b *builder) addPath(ing *ingress, h *virtualHost, p *networkingv1.HTTPIngressPath, field string) {
	written, pathType := p.Path, networkingv1.PathTypeImplementationSpecific
	if p.PathType != nil {
		pathType = *p.PathType
	}
	if written == "" && pathType == networkingv1.PathTypeImplementationSpecific {
		written = "/" // the API allows it, and it has always meant everything
	}
	canonical, err := checkPath(written, pathType)
	if err != nil {
		b.found.add(ing.ref, field+".path", CodeInvalidPath, err.Error())
		return
	}
	if pathType != networkingv1.PathTypeExact && looksLikeRegex(written) {
		b.found.add(ing.ref, field+".path", CodePathLooksLikeRegex,
			fmt.Sprintf("%q is taken literally; a Prefix already matches everything below it, and regular expressions are not supported yet", written))
	}
	r := b.route(ing, field, &p.Backend, ".backend")
	r.Host, r.Path, r.PathType, r.canonical = h.name, written, pathType, canonical
	r.why = string(pathType) + " " + written + " of ingress " + ing.name.String()
	if lost, conflict := h.add(r); conflict {
		b.found.add(lost.route.owner, lost.route.Field, CodeHostPathConflict,
			fmt.Sprintf("%s of %s is not served: %s", lost.route.match(), hostText(h.name), lost.why))
	}
}

func checkPath(written string, pathType networkingv1.PathType) (string, error) {
	switch pathType {
	case networkingv1.PathTypeExact, networkingv1.PathTypePrefix, networkingv1.PathTypeImplementationSpecific:
		return rulePath(written)
	}
	return "", fmt.Errorf("pathType %q is none of Exact, Prefix and ImplementationSpecific", pathType)
}

// addIngressDefault takes the default back-end in: for the hosts of the Ingress's rules, or as the catch-all for
// everything if it has no rules.
func (b *builder) addIngressDefault(ing *ingress) {
	backend, field := ing.Spec.DefaultBackend, "spec.defaultBackend"
	if backend == nil {
		return
	}
	if len(ing.Spec.Rules) == 0 {
		r := b.route(ing, field, backend, "")
		r.why = fmt.Sprintf("no rule matches; the default back-end of ingress %s takes everything", ing.name)
		b.takeDefault(&b.catchAll, r, "the catch-all")
		return
	}
	seen := map[string]bool{}
	for _, rule := range ing.Spec.Rules {
		name, err := ruleHost(rule.Host)
		if err != nil || seen[name] {
			continue
		}
		seen[name] = true
		r := b.route(ing, field, backend, "")
		r.Host = name
		r.why = fmt.Sprintf("no path matches; the default back-end of ingress %s takes the rest of %s", ing.name, hostText(name))
		b.takeDefault(&b.host(name).fallback, r, "the default back-end of "+hostText(name))
	}
}

// takeDefault gives a default back-end its place, unless an older Ingress has it.
func (b *builder) takeDefault(place **Route, r *Route, what string) {
	if *place == nil {
		*place = r
		return
	}
	b.found.add(r.owner, r.Field, CodeDefaultBackendConflict,
		fmt.Sprintf("it is not served as %s: ingress %s is, and is older, or comes first by name", what, (*place).Ingress))
}

// route makes the route of a back-end that is at below in field, with everything but what it matches. A back-end that cannot be served makes a route all the
// same, one that answers 503: otherwise its requests would fall to a route that was never meant for them.
func (b *builder) route(ing *ingress, field string, backend *networkingv1.IngressBackend, below string) *Route {
	r := &Route{
		Ingress:  ing.name,
		Field:    field,
		Policy:   ing.policy,
		Timeouts: timeouts(ing.policy.Proxy),
		Closed:   ing.policy.Closed,
		owner:    ing.ref,
	}
	if backend.Service == nil {
		r.Pool = &Pool{Reason: "the back-end is not a Service"}
		b.found.add(ing.ref, field+below, CodeBackendNotService, notAService(backend))
		return r
	}
	pool, flt := b.backendOf(ing, field+below, ServicePort{
		Service: types.NamespacedName{Namespace: ing.Namespace, Name: backend.Service.Name},
		Port:    backend.Service.Port,
	})
	r.Pool = pool
	if flt != nil {
		b.found.add(ing.ref, field+below+".service."+flt.field, flt.code, flt.reason)
	}
	return r
}

func notAService(backend *networkingv1.IngressBackend) string {
	if ref := backend.Resource; ref != nil {
		return fmt.Sprintf("%s %q cannot be a back-end; only Services can", ref.Kind, ref.Name)
	}
	return "there is no service"
}

func hostText(name string) string {
	if name == "" {
		return "all hosts"
	}
	return "host " + name
}

func timeouts(p annotations.Proxy) Timeouts {
	return Timeouts{Connect: p.ConnectTimeout, Read: p.ReadTimeout, Send: p.SendTimeout}
}
