package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/routing"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// request compares what is expected of a request with the controller's explanation of it.
func (d *diagnosis) request(r Request) {
	e := explain(d.table, r)
	isDefault := e.route != nil && e.route.PathType == ""
	switch {
	case r.Unserved:
		d.unwanted(r, e.route)
	case r.ByDefault && (e.route == nil || isDefault || serviceOfRoute(e.route) == r.Service):
		d.byDefault(r, e.route)
	case len(e.rules) == 0 && (e.route == nil || e.route == d.table.CatchAll()):
		d.noHost(r)
	case len(e.rules) > 0 && (e.route == nil || isDefault):
		d.noPath(r, e)
	default:
		d.served(r, e)
	}
	if r.TLS {
		d.tlsOf(r, e)
	}
	d.user(r, e.route)
}

// unwanted reports the rule or default backend that serves a request which the controller itself
// should answer.
func (d *diagnosis) unwanted(r Request, route *routing.Route) {
	if route == nil {
		return
	}
	name := route.Ingress.Name
	if route.Ingress.Namespace != d.Namespace {
		name = route.Ingress.String()
	}
	f := Finding{Code: RuleUnwanted, Object: "ingress/" + name, Field: route.Field, Expected: "not there", Observed: serviceOfRoute(route)}
	serves := "has a default backend, which serves the other paths of " + r.Host
	switch {
	case route.PathType != "":
		f.Field, f.Observed = route.Field+".path", route.Path
		serves = fmt.Sprintf("has the path %s (%s), which matches %s%s", route.Path, route.PathType, r.Host, r.Path)
	case route == d.table.CatchAll():
		serves = "has a default backend and no rules, so it serves every unmatched request"
	}
	f.Text = fmt.Sprintf("ingress %s %s; here the controller itself should answer, with 404", name, serves)
	d.add(f)
}

// byDefault is for a request that a default backend should serve. route is the route to a
// default backend, or nil if none serves the request.
func (d *diagnosis) byDefault(r Request, route *routing.Route) {
	if route != nil {
		if t, is := d.targetOf(route); is {
			d.backend(r, t)
			if route.PathType == "" && r.Service != "" && t.service() != r.Service && d.hasService(t.service()) {
				d.reportf(ServiceWrong, "ingress/"+t.ingress.Name, t.field+".service.name", r.Service, t.service(),
					"the default backend of ingress %s is service %s; it should be %s", t.ingress.Name, t.service(), r.Service)
			}
			return
		}
	}
	without, limited := "*", ""
	for _, i := range d.own() {
		without = i.Name
		if i.Spec.DefaultBackend == nil {
			continue
		}
		if d.reportClass(i) {
			return
		}
		limited = fmt.Sprintf("; that of ingress %s serves only the hosts of its rules, and %s is not one of them", i.Name, r.Host)
	}
	if without == "*" {
		d.reportf(IngressMissing, "ingress/*", "spec.defaultBackend", "an Ingress with a default backend", "no Ingress",
			"namespace %s has no Ingress, so it has no default backend", d.Namespace)
	}
	d.reportf(DefaultBackendMissing, "ingress/"+without, "spec.defaultBackend", cmp.Or(r.Service, "a Service"), "none",
		"no Ingress in namespace %s has a spec.defaultBackend for unmatched requests%s", d.Namespace, limited)
}

// noHost is for a host without rules.
func (d *diagnosis) noHost(r Request) {
	own := d.own()
	missing := Finding{Code: IngressMissing, Object: "ingress/" + cmp.Or(r.Service, "*"), Expected: "a rule for host " + r.Host,
		Observed: "no Ingress",
		Text:     fmt.Sprintf("namespace %s has no Ingress, so host %s has no rule", d.Namespace, r.Host)}
	if len(own) == 0 {
		d.add(missing)
		return
	}
	if d.otherClass(r) {
		return
	}
	i, n := d.meant(r)
	if d.canaryInstead(r, i != nil) {
		return
	}
	if i == nil {
		missing.Observed = "rules for " + joined(d.hosts())
		missing.Text = fmt.Sprintf("no Ingress has a rule for host %s; the hosts with rules are %s", r.Host, joined(d.hosts()))
		d.add(missing)
		return
	}
	d.reportClass(i)
	host := i.Spec.Rules[n].Host
	d.reportf(HostUnmatched, "ingress/"+i.Name, fmt.Sprintf("spec.rules[%d].host", n), r.Host, host,
		"ingress %s has a rule for host %s, and the request is for %s", i.Name, host, r.Host)
}

// otherClass finds an Ingress that would have a rule for the request's host if it had the lab's
// class.
func (d *diagnosis) otherClass(r Request) bool {
	class := d.class()
	table := d.suppose(func(i *networkingv1.Ingress) { i.Spec.IngressClassName = &class })
	for _, c := range explain(table, r).rules {
		i := d.ingress(c.Route.Ingress.Name)
		if i != nil && c.Route.Ingress.Namespace == d.Namespace && d.reportClass(i) {
			return true
		}
	}
	return false
}

// meant returns the rule that was probably meant for the request: one with its Service, or one
// whose host has a similar first label. Rules for hosts of other tasks do not count. It
// returns nil if there is none.
func (d *diagnosis) meant(r Request) (*networkingv1.Ingress, int) {
	type rule struct {
		ingress *networkingv1.Ingress
		number  int
	}
	var free []rule
	for _, i := range d.own() {
		for n, one := range i.Spec.Rules {
			if one.Host == "" || isCanary(i) || d.isOthersRule(i, n) {
				continue
			}
			if sendsTo(i, n, r.Service) {
				return i, n
			}
			free = append(free, rule{i, n})
		}
	}
	first := firstLabel(r.Host)
	for _, one := range free {
		label := firstLabel(one.ingress.Spec.Rules[one.number].Host)
		if strictyaml.Nearest(label, []string{first}) != "" {
			return one.ingress, one.number
		}
	}
	if len(free) == 1 && r.Service == "" {
		return free[0].ingress, free[0].number
	}
	return nil, 0
}

func firstLabel(host string) string {
	label, _, _ := strings.Cut(host, ".")
	return label
}

// isOthersRule reports whether a rule is probably meant for other tasks: they expect its host, and
// its Service if one is known.
func (d *diagnosis) isOthersRule(i *networkingv1.Ingress, n int) bool {
	host, known := i.Spec.Rules[n].Host, false
	if !d.about.isOthersHost(host) {
		return false
	}
	for _, r := range d.about.Others {
		if r.Service != "" && r.isFor(host) {
			known = true
			if sendsTo(i, n, r.Service) {
				return true
			}
		}
	}
	return !known
}

// hosts returns the hosts of the rules in the namespace.
func (d *diagnosis) hosts() []string {
	var all []string
	for _, i := range d.own() {
		for _, rule := range i.Spec.Rules {
			if rule.Host != "" {
				all = append(all, rule.Host)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// noPath is for a host whose rules do not match the path.
func (d *diagnosis) noPath(r Request, e explained) {
	if e.route != nil && r.Service != "" && serviceOfRoute(e.route) == r.Service {
		if t, is := d.targetOf(e.route); is {
			d.backend(r, t)
			return
		}
	}
	if d.exactInstead(r, e) {
		return
	}
	var paths []string
	for _, c := range e.rules {
		paths = append(paths, fmt.Sprintf("%s (%s)", c.Route.Path, c.Route.PathType))
	}
	near := nearestRule(r, e.rules)
	d.reportf(PathUnmatched, "ingress/"+near.Ingress.Name, near.Field+".path", r.Path, near.Path,
		"the rules of ingress %s for host %s have the paths %s; none of them matches the path %s", near.Ingress.Name, r.Host,
		joined(paths), r.Path)
}

// exactInstead finds an Exact path that would match the request if its pathType were Prefix.
func (d *diagnosis) exactInstead(r Request, e explained) bool {
	table := d.suppose(func(i *networkingv1.Ingress) {
		for _, rule := range i.Spec.Rules {
			for p := 0; rule.HTTP != nil && p < len(rule.HTTP.Paths); p++ {
				if t := rule.HTTP.Paths[p].PathType; t != nil && *t == networkingv1.PathTypeExact {
					prefix := networkingv1.PathTypePrefix
					rule.HTTP.Paths[p].PathType = &prefix
				}
			}
		}
	})
	won := explain(table, r).route
	if won == nil || r.Service != "" && serviceOfRoute(won) != r.Service {
		return false
	}
	at := slices.IndexFunc(e.rules, func(c routing.Candidate) bool {
		return c.Route.Ingress == won.Ingress && c.Route.Field == won.Field && c.Route.PathType == networkingv1.PathTypeExact && !c.Won
	})
	if at < 0 {
		return false
	}
	d.reportf(PathTypeExact, "ingress/"+won.Ingress.Name, won.Field+".pathType", "Prefix", "Exact",
		"ingress %s has the path %s of type Exact, which matches only %s and not %s", won.Ingress.Name, won.Path, won.Path, r.Path)
	return true
}

// nearestRule returns the rule that was probably meant: one that sends to the Service, or one with
// a similar path.
func nearestRule(r Request, rules []routing.Candidate) *routing.Route {
	var paths []string
	for _, c := range rules {
		if r.Service != "" && serviceOfRoute(c.Route) == r.Service {
			return c.Route
		}
		paths = append(paths, c.Route.Path)
	}
	near := strictyaml.Nearest(r.Path, paths)
	return rules[max(0, slices.Index(paths, near))].Route
}

// served is for a request that a rule matches. The rule can be the wrong one, or its backend can
// be broken.
func (d *diagnosis) served(r Request, e explained) {
	t, own := d.targetOf(e.route)
	switch service := serviceOfRoute(e.route); {
	case !own:
		d.taken(r, e)
	case r.Canary && service != r.Service:
		d.canaryFor(r)
		d.backend(r, t)
	case r.Service == "" || service == r.Service:
		d.backend(r, t)
	case d.exactInstead(r, e) || d.longerPath(r, e):
	case !d.hasService(service):
		d.backend(r, t)
	case d.olderRule(r, e) || d.wideRule(r, e.route):
	default:
		d.reportf(ServiceWrong, "ingress/"+t.ingress.Name, t.field+".service.name", r.Service, service,
			"ingress %s sends %s%s to service %s; it should go to %s", t.ingress.Name, r.Host, r.Path, service, r.Service)
	}
}

// longerPath finds a longer path to the right Service, which the controller reports as not
// matching.
func (d *diagnosis) longerPath(r Request, e explained) bool {
	for _, c := range e.rules {
		if serviceOfRoute(c.Route) != r.Service || c.Why.Cause != routing.PathUnmatched || len(c.Route.Path) <= len(e.route.Path) {
			continue
		}
		d.reportf(PathUnmatched, "ingress/"+c.Route.Ingress.Name, c.Route.Field+".path", r.Path, c.Route.Path,
			"in ingress %s the path %s, which routes to service %s, does not match %s; the path %s matches it", c.Route.Ingress.Name,
			c.Route.Path, r.Service, r.Path, e.route.Path)
		return true
	}
	return false
}

// wideRule finds that a rule without a host, or with a wildcard, serves the request and has another
// Service.
func (d *diagnosis) wideRule(r Request, route *routing.Route) bool {
	if r.isFor(route.Host) || route.PathType == "" {
		return false
	}
	matches := "without a host, which matches every host that no other rule has"
	if route.Host != "" {
		matches = "for host " + route.Host + ", which matches " + r.Host + ", too"
	}
	d.reportf(HostUnmatched, "ingress/"+route.Ingress.Name, ruleField(route.Field)+".host", "", cmp.Or(route.Host, "none"),
		"no rule for host %s routes to service %s; ingress %s has a rule %s, and routes to service %s", r.Host, r.Service,
		route.Ingress.Name, matches, serviceOfRoute(route))
	return true
}

// olderRule finds a rule to the right Service that lost to another Ingress of the namespace.
func (d *diagnosis) olderRule(r Request, e explained) bool {
	for _, c := range e.lost {
		if c.Route.Ingress != e.route.Ingress && serviceOfRoute(c.Route) == r.Service {
			d.ruleTaken(c.Route.Ingress.Name, c.Route.Field, c.Why)
			return true
		}
	}
	return false
}

// ruleTaken reports that another Ingress has a place already.
func (d *diagnosis) ruleTaken(ingress, field string, why routing.Reason) {
	args := why.Args()
	rule := args["rule"] + " of " + args["host"]
	if why.Cause == routing.DefaultBackendTaken {
		rule = args["place"]
	}
	d.reportf(RuleTaken, "ingress/"+ingress, field, "no other Ingress with "+rule, "ingress "+args["by"],
		"ingress %s has %s, which ingress %s has, too; the controller serves that one: it is older, or comes first by name", ingress,
		rule, args["by"])
}

// taken is for a request that an Ingress of another namespace serves.
func (d *diagnosis) taken(r Request, e explained) {
	by := e.route
	f := Finding{Code: RuleTaken, Field: by.Field, Expected: "no other Ingress with " + r.Host + by.Path, Observed: "ingress " +
		by.Ingress.String(),
		Text: fmt.Sprintf("host %s with path %s belongs to ingress %s: it is older, or its path is longer", r.Host, by.Path, by.Ingress)}
	for _, c := range slices.Concat(e.rules, e.lost) {
		if c.Route.Ingress.Namespace == d.Namespace {
			f.Object = "ingress/" + c.Route.Ingress.Name
		}
	}
	for _, c := range by.Canaries {
		if c.Ingress.Namespace == d.Namespace {
			f.Object = "ingress/" + c.Ingress.Name
		}
	}
	if f.Object == "" { // the student's own Ingress is probably in the wrong namespace
		f = d.wrongNamespace(by.Ingress.Name, by.Ingress.Namespace, r.Host)
	}
	d.add(f)
}

// wrongNamespace reports that an Ingress with a rule for the host is in another namespace.
func (d *diagnosis) wrongNamespace(name, is, host string) Finding {
	text := fmt.Sprintf("ingress %s is in namespace %s, and its Services must be there, too; it should be in %s", name, is, d.Namespace)
	if host != "" {
		text = fmt.Sprintf("no Ingress in namespace %s has a rule for host %s; ingress %s/%s has one, for Services of its own namespace",
			d.Namespace, host, is, name)
	}
	return Finding{Code: IngressMissing, Object: "ingress/" + name, Field: "metadata.namespace", Expected: d.Namespace, Observed: is,
		Text: text}
}
