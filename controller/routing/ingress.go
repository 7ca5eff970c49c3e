package routing

import (
	"fmt"
	"slices"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// ingress is one Ingress while Build adds it to the Table.
type ingress struct {
	*networkingv1.Ingress
	ref    ObjectRef
	name   types.NamespacedName
	policy *Policy
	// rewrite is the parsed rewrite-target, or nil if there is none.
	rewrite *rewrite
}

// addIngress adds one Ingress: annotations, rules, and default backend.
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
		// A canary refines routes of other Ingresses. As a main route, it would get all traffic.
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

// addRule adds one rule. It adds the host even if none of its paths is valid: requests for a host
// with an invalid rule must not reach the wildcard of another Ingress.
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

// pathOf returns the path and path type of a rule, with the defaults of the API.
func pathOf(p *networkingv1.HTTPIngressPath) (string, networkingv1.PathType) {
	written, pathType := p.Path, networkingv1.PathTypeImplementationSpecific
	if p.PathType != nil {
		pathType = *p.PathType
	}
	if written == "" && pathType == networkingv1.PathTypeImplementationSpecific {
		written = "/" // an empty path has always matched every path
	}
	return written, pathType
}

// readPath sets the canonical form or the pattern of a route. It returns why the path is invalid.
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

// addIngressDefault adds the default backend: for the hosts of the rules, or as the catch-all if
// the Ingress has no rules.
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

// takeDefault sets a default backend, unless an older Ingress has set it.
func (b *builder) takeDefault(place **Route, r *Route, what string) {
	if *place == nil {
		*place = r
		return
	}
	b.found.add(r.owner, r.Field, Because(DefaultBackendTaken, "place", what, "by", (*place).Ingress.String()))
}

// route returns the route of a default backend. Such a route has no rewrite, because it serves
// requests that match no path.
func (b *builder) route(ing *ingress, field string, backend *networkingv1.IngressBackend, below string) *Route {
	r := &Route{}
	b.complete(r, ing, field, backend, below)
	return r
}

// complete sets all fields of a route except its host and path. If the backend (at below in field)
// is invalid, the route responds with 503. Without the route, its requests would reach an unrelated
// one.
func (b *builder) complete(r *Route, ing *ingress, field string, backend *networkingv1.IngressBackend, below string) {
	r.Ingress, r.Field, r.owner = ing.name, field, ing.ref
	r.Policy, r.Timeouts, r.Blocked = ing.policy, timeouts(ing.policy.Proxy), ing.policy.Blocked
	r.Pool = b.pool(ing, backend, field+below)
	if backend.Service != nil {
		if r.servicePort = backend.Service.Port.Name; r.servicePort == "" {
			r.servicePort = strconv.Itoa(int(backend.Service.Port.Number))
		}
	}
}

// pool returns the endpoints of the backend at field.
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

// hosts returns the valid hosts of the rules, each once, in order. An Ingress without rules covers
// all hosts.
func (ing *ingress) hosts() []string {
	if len(ing.Spec.Rules) == 0 {
		return []string{""}
	}
	var all []string
	for _, rule := range ing.Spec.Rules {
		if host, wrong := ruleHost(rule.Host); !wrong.is() && !slices.Contains(all, host) {
			all = append(all, host)
		}
	}
	return all
}
