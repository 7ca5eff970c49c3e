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
	// rewrite is what rewrite-target asks for; nil: nothing.
	rewrite *rewrite
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
		b.found.add(ing.ref, "metadata.annotations["+f.Name+"]", reported(f))
	}
	ing.policy = b.policy(ing, options)
	if options.Canary.Enabled {
		// It refines another Ingress's routes. As a main route it would take all of the traffic.
		b.canaries = append(b.canaries, ing)
		return
	}
	ing.rewrite = newRewrite(options.Rewrite.Target)
	if len(options.Rewrite.Aliases) > 0 {
		b.aliased = append(b.aliased, ing)
	}
	if options.Redirects.AppRoot != "" {
		b.appRoots = append(b.appRoots, ing)
	}
	if options.Redirects.FromToWWW {
		b.fromToWWW = append(b.fromToWWW, ing)
	}
	b.claimHosts(ing)
	b.addTLS(ing)
	if len(ing.Spec.Rules) == 0 && ing.Spec.DefaultBackend == nil {
		b.found.add(ing.ref, "spec", Because(IngressEmpty))
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
	name, wrong := ruleHost(rule.Host)
	if wrong.is() {
		b.found.add(ing.ref, field+".host", wrong)
		return
	}
	h := b.host(name)
	if rule.HTTP == nil || len(rule.HTTP.Paths) == 0 {
		if ing.Spec.DefaultBackend == nil {
			b.found.add(ing.ref, field+".http", Because(RuleWithoutPaths))
		}
		return
	}
	for j := range rule.HTTP.Paths {
		b.addPath(ing, h, &rule.HTTP.Paths[j], field+".http.paths["+strconv.Itoa(j)+"]")
	}
}

func (b *builder) addPath(ing *ingress, h *virtualHost, p *networkingv1.HTTPIngressPath, field string) {
	written, pathType := pathOf(p)
	r := &Route{Host: h.name, Path: written, PathType: pathType, Regex: isRegex(ing.policy, written, pathType)}
	if wrong := b.readPath(r); wrong.is() {
		b.found.add(ing.ref, field+".path", wrong)
		return
	}
	if pathType != networkingv1.PathTypeExact && !r.Regex && looksLikeRegex(written) {
		b.found.add(ing.ref, field+".path", Because(PathLooksLikeRegex, "path", written))
	}
	b.complete(r, ing, field, &p.Backend, ".backend")
	if rewrites(ing.policy, written) {
		r.rewrite = ing.rewrite
	}
	r.why = string(pathType) + " " + written + " of ingress " + ing.name.String()
	if r.Regex {
		r.why = "regular expression " + written + " of ingress " + ing.name.String()
	}
	if lost, conflict := h.add(r); conflict {
		b.found.add(lost.route.owner, lost.route.Field, lost.why)
	}
}

// pathOf is the path and path type of a rule, with what the API allows to leave out.
func pathOf(p *networkingv1.HTTPIngressPath) (string, networkingv1.PathType) {
	written, pathType := p.Path, networkingv1.PathTypeImplementationSpecific
	if p.PathType != nil {
		pathType = *p.PathType
	}
	if written == "" && pathType == networkingv1.PathTypeImplementationSpecific {
		written = "/" // it has always meant everything
	}
	return written, pathType
}

// readPath sets what the route's path is compared as.
func (b *builder) readPath(r *Route) (wrong Reason) {
	switch r.PathType {
	case networkingv1.PathTypeExact, networkingv1.PathTypePrefix, networkingv1.PathTypeImplementationSpecific:
	default:
		return Because(PathTypeUnknown, "type", string(r.PathType))
	}
	if r.Regex {
		r.canonical = r.Path
		r.pattern, wrong = b.memory.patterns.compile(r.Path)
		return wrong
	}
	r.canonical, wrong = rulePath(r.Path)
	return wrong
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
		r.why = fmt.Sprintf("no rule matches; the default backend of ingress %s serves every unmatched request", ing.name)
		b.takeDefault(&b.catchAll, r, "the catch-all")
		return
	}
	for _, name := range ing.hosts() {
		r := b.route(ing, field, backend, "")
		r.Host = name
		r.why = fmt.Sprintf("no path matches; the default backend of ingress %s serves the other paths of %s", ing.name, hostText(name))
		b.takeDefault(&b.host(name).fallback, r, "the default backend of "+hostText(name))
	}
}

// takeDefault gives a default back-end its place, unless an older Ingress has it.
func (b *builder) takeDefault(place **Route, r *Route, what string) {
	if *place == nil {
		*place = r
		return
	}
	b.found.add(r.owner, r.Field, Because(DefaultBackendTaken, "place", what, "by", (*place).Ingress.String()))
}

// route makes the route of a default back-end. Its path is not rewritten: it serves what no path matches.
func (b *builder) route(ing *ingress, field string, backend *networkingv1.IngressBackend, below string) *Route {
	r := &Route{}
	b.complete(r, ing, field, backend, below)
	return r
}

// complete gives a route everything but what it matches. A back-end that cannot be served, at below in field, makes a route all the
// same, one that answers 503: otherwise its requests would fall to a route that was never meant for them.
func (b *builder) complete(r *Route, ing *ingress, field string, backend *networkingv1.IngressBackend, below string) {
	r.Ingress, r.Field, r.owner = ing.name, field, ing.ref
	r.Policy, r.Timeouts, r.Closed = ing.policy, timeouts(ing.policy.Proxy), ing.policy.Closed
	r.Pool = b.pool(ing, backend, field+below)
	if backend.Service != nil {
		if r.servicePort = backend.Service.Port.Name; r.servicePort == "" {
			r.servicePort = strconv.Itoa(int(backend.Service.Port.Number))
		}
	}
}

// pool finds the endpoints of a back-end that is at field.
func (b *builder) pool(ing *ingress, backend *networkingv1.IngressBackend, field string) *Pool {
	if backend.Service == nil {
		b.found.add(ing.ref, field, notAService(backend))
		return &Pool{Reason: "the backend is not a Service"}
	}
	pool, flt := b.backendOf(ing, field, ServicePort{
		Service: types.NamespacedName{Namespace: ing.Namespace, Name: backend.Service.Name},
		Port:    backend.Service.Port,
	})
	if flt != nil {
		b.found.add(ing.ref, field+".service."+flt.field, flt.reason)
	}
	return pool
}

func notAService(backend *networkingv1.IngressBackend) Reason {
	if ref := backend.Resource; ref != nil {
		return Because(BackendNotService, "kind", ref.Kind, "name", ref.Name)
	}
	return Because(BackendEmpty)
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
