package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// classAnnotation is how an Ingress named its class before spec.ingressClassName.
const classAnnotation = "kubernetes.io/ingress.class"

// index finds out which classes are the controller's.
func (d *diagnosis) index() {
	for _, c := range d.Classes {
		if c.Spec.Controller == controllerClass {
			d.ours = append(d.ours, c.Name)
		}
	}
	slices.SortFunc(d.ours, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
}

// own are the Ingresses of the namespace.
func (d *diagnosis) own() []*networkingv1.Ingress {
	var own []*networkingv1.Ingress
	for i := range d.Ingresses {
		if d.Ingresses[i].Namespace == d.Namespace {
			own = append(own, &d.Ingresses[i])
		}
	}
	return own
}

// classFault says why the controller does not serve an Ingress; nil if it does.
func (d *diagnosis) classFault(i *networkingv1.Ingress) *Finding {
	const field = "spec.ingressClassName"
	f := &Finding{Object: "ingress/" + i.Name, Field: field, Expected: d.class()}
	name, where := i.Annotations[classAnnotation], "the annotation "+classAnnotation
	if i.Spec.IngressClassName != nil {
		name, where = *i.Spec.IngressClassName, field
	}
	f.Observed = name
	at := slices.IndexFunc(d.Classes, func(c networkingv1.IngressClass) bool { return c.Name == name })
	switch {
	case slices.Contains(d.ours, name):
		return nil
	case name == "":
		f.Code, f.Observed = ClassMissing, "none"
		f.Text = fmt.Sprintf("ingress %s names no class: its %s is not there, so no controller takes it; ours is %s", i.Name, field, d.class())
	case at < 0:
		f.Code = ClassUnknown
		f.Text = fmt.Sprintf("ingress %s names the class %q in %s, and there is no IngressClass of that name; ours is %s", i.Name, name, where, d.class())
	default:
		f.Code = ClassForeign
		f.Text = fmt.Sprintf("ingress %s names the class %q in %s, which belongs to another controller (%s); ours is %s",
			i.Name, name, where, d.Classes[at].Spec.Controller, d.class())
	}
	return f
}

// class is the name of our class.
func (d *diagnosis) class() string {
	if len(d.ours) > 0 {
		return d.ours[0]
	}
	return "ingresslab"
}

// request follows one request as far as it gets.
func (d *diagnosis) request(r Request) {
	all := d.candidates(r.Host)
	at := slices.IndexFunc(all, func(c candidate) bool { return c.matches(r.Path, false) })
	switch {
	case r.Nobody:
		d.nobody(r, all, at)
	case r.ByDefault:
		d.byDefault(r, all, at)
	case len(all) == 0:
		d.noHost(r)
	case at < 0:
		d.noPath(r, all)
	default:
		d.winner(r, all, all[at])
	}
	if r.TLS {
		d.tlsOf(r)
	}
}

// noHost is for a host that no rule names.
func (d *diagnosis) noHost(r Request) {
	if len(d.own()) == 0 {
		d.add(Finding{Code: IngressMissing, Object: "ingress/" + cmp.Or(r.Service, "*"), Expected: "a rule for host " + r.Host, Observed: "no Ingress",
			Text: fmt.Sprintf("there is no Ingress in namespace %s, so no rule for host %s", d.Namespace, r.Host)})
		return
	}
	// An Ingress that has the rule, and that nobody serves.
	for _, i := range d.own() {
		fault := d.classFault(i)
		if fault != nil && slices.ContainsFunc(i.Spec.Rules, func(rule networkingv1.IngressRule) bool { return rank(rule.Host, r.Host) > 0 }) {
			d.add(*fault)
			return
		}
	}
	i, n := d.meant(r)
	if d.canaryInstead(r, i != nil) {
		return
	}
	if i == nil {
		d.add(Finding{Code: IngressMissing, Object: "ingress/" + cmp.Or(r.Service, "*"), Expected: "a rule for host " + r.Host,
			Observed: "rules for " + joined(d.hosts()), Text: fmt.Sprintf("no Ingress has a rule for host %s; there are rules for %s", r.Host, joined(d.hosts()))})
		return
	}
	if fault := d.classFault(i); fault != nil {
		d.add(*fault)
	}
	host := i.Spec.Rules[n].Host
	d.add(Finding{Code: HostUnmatched, Object: "ingress/" + i.Name, Field: fmt.Sprintf("spec.rules[%d].host", n), Expected: r.Host, Observed: host,
		Text: fmt.Sprintf("ingress %s has a rule for host %s, and the request asks for %s", i.Name, host, r.Host)})
}

// isOthersRule tells whether a rule is for a host that others ask for, and may well be for them.
func (d *diagnosis) isOthersRule(i *networkingv1.Ingress, n int) bool {
	host := i.Spec.Rules[n].Host
	if !slices.ContainsFunc(d.about.OtherHosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return false
	}
	known := false
	for _, r := range d.about.Others {
		if !strings.EqualFold(r.Host, host) || r.Service == "" {
			continue
		}
		known = true
		if slices.ContainsFunc(pathsOf(i, n), func(c candidate) bool { return serviceOf(c.path.Backend) == r.Service }) {
			return true
		}
	}
	return !known
}

// meant finds the rule that was probably meant for the request: one that sends to its Service, or for a host that is near. Rules
// for hosts that others ask for are none of them. It is nil if there is none.
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
			free = append(free, rule{i, n})
			if r.Service != "" && slices.ContainsFunc(pathsOf(i, n), func(c candidate) bool { return serviceOf(c.path.Backend) == r.Service }) {
				return i, n
			}
		}
	}
	first, _, _ := strings.Cut(r.Host, ".")
	for _, one := range free {
		host := one.ingress.Spec.Rules[one.number].Host
		label, _, _ := strings.Cut(host, ".")
		if strictyaml.Nearest(label, []string{first}) != "" || strings.EqualFold(label, first) {
			return one.ingress, one.number
		}
	}
	if len(free) == 1 && r.Service == "" {
		return free[0].ingress, free[0].number
	}
	return nil, 0
}

// hosts are those of the rules in the namespace.
func (d *diagnosis) hosts() []string {
	var all []string
	for _, i := range d.own() {
		for _, rule := range i.Spec.Rules {
			if rule.Host != "" && !slices.Contains(all, rule.Host) {
				all = append(all, rule.Host)
			}
		}
	}
	return all
}

// noPath is for a host whose rules do not know the path.
func (d *diagnosis) noPath(r Request, all []candidate) {
	if c := all[0]; c.ingress.Spec.DefaultBackend != nil && r.Service != "" && serviceOf(*c.ingress.Spec.DefaultBackend) == r.Service {
		d.backend(r, candidate{c.ingress, "spec.defaultBackend", networkingv1.HTTPIngressPath{Backend: *c.ingress.Spec.DefaultBackend}})
		return
	}
	if d.exactInTheWay(r, all) {
		return
	}
	c := nearestPath(r, all)
	d.add(Finding{Code: PathUnmatched, Object: c.object(), Field: c.field + ".path", Expected: r.Path, Observed: c.path.Path,
		Text: fmt.Sprintf("ingress %s has a rule for host %s, with %s, and none of them takes the path %s", c.ingress.Name, r.Host, pathList(all), r.Path)})
}

// exactInTheWay finds an Exact path that would take the request if it were a Prefix.
func (d *diagnosis) exactInTheWay(r Request, all []candidate) bool {
	for _, c := range all {
		right := r.Service == "" || serviceOf(c.path.Backend) == r.Service
		if c.kind() == networkingv1.PathTypeExact && right && !c.matches(r.Path, false) && c.matches(r.Path, true) {
			d.add(Finding{Code: PathTypeExact, Object: c.object(), Field: c.field + ".pathType", Expected: "Prefix", Observed: "Exact",
				Text: fmt.Sprintf("ingress %s has the path %s of type Exact, which takes %s alone and not %s", c.ingress.Name, c.path.Path, c.path.Path, r.Path)})
			return true
		}
	}
	return false
}

// nearestPath returns the path that was probably meant: one that leads to the Service, or one of a similar name.
func nearestPath(r Request, all []candidate) candidate {
	var paths []string
	for _, c := range all {
		if r.Service != "" && serviceOf(c.path.Backend) == r.Service {
			return c
		}
		paths = append(paths, c.path.Path)
	}
	near := strictyaml.Nearest(r.Path, paths)
	for _, c := range all {
		if c.path.Path == near {
			return c
		}
	}
	return all[0]
}

// winner is for a request that a path takes: it may be the wrong one, or what follows may be broken.
func (d *diagnosis) winner(r Request, all []candidate, c candidate) {
	if c.ingress.Namespace != d.Namespace {
		d.taken(r, c)
		return
	}
	service := serviceOf(c.path.Backend)
	if r.Canary && service != r.Service {
		d.canaryFor(r)
		d.backend(r, c)
		return
	}
	if r.Service == "" || service == r.Service {
		d.backend(r, c)
		return
	}
	if d.exactInTheWay(r, all) {
		return
	}
	if longer := nearestPath(r, all); serviceOf(longer.path.Backend) == r.Service && len(longer.path.Path) > len(c.path.Path) {
		d.add(Finding{Code: PathUnmatched, Object: longer.object(), Field: longer.field + ".path", Expected: r.Path, Observed: longer.path.Path,
			Text: fmt.Sprintf("in ingress %s the path %s leads to service %s, and does not take %s, which %s takes",
				longer.ingress.Name, longer.path.Path, r.Service, r.Path, c.path.Path)})
		return
	}
	if !d.hasService(service) {
		d.backend(r, c) // what is not there is more than a wrong choice
		return
	}
	if d.olderInTheWay(r, all, c) || d.wideRule(r, c) {
		return
	}
	d.add(Finding{Code: ServiceWrong, Object: c.object(), Field: c.field + backendField(c) + ".service.name", Expected: r.Service, Observed: service,
		Text: fmt.Sprintf("ingress %s sends %s%s to service %s, and it should go to %s", c.ingress.Name, r.Host, r.Path, service, r.Service)})
}

// wideRule finds that a host is taken by a rule that does not name it, and leads elsewhere.
func (d *diagnosis) wideRule(r Request, c candidate) bool {
	host := hostOf(c)
	if rank(host, r.Host) == 3 || c.field == "spec.defaultBackend" {
		return false
	}
	takes := "without a host, which takes every host that no other rule names"
	if host != "" {
		takes = "for host " + host + ", which takes " + r.Host + ", too"
	}
	field, _, _ := strings.Cut(c.field, ".http")
	d.add(Finding{Code: HostUnmatched, Object: c.object(), Field: field + ".host", Observed: cmp.Or(host, "none"), Text: fmt.Sprintf(
		"no rule names host %s and leads to service %s; ingress %s has a rule %s, and leads to service %s", r.Host, r.Service, c.ingress.Name, takes, serviceOf(c.path.Backend))})
	return true
}

// olderInTheWay finds a path that leads to the right Service, and that another Ingress of the namespace has had before.
func (d *diagnosis) olderInTheWay(r Request, all []candidate, by candidate) bool {
	for _, c := range all {
		if c.ingress != by.ingress && c.path.Path == by.path.Path && c.kind() == by.kind() && serviceOf(c.path.Backend) == r.Service {
			d.add(ruleTaken(c, hostOf(c), by))
			return true
		}
	}
	return false
}

// backendField is where in a candidate's field the back-end is.
func backendField(c candidate) string {
	if c.field == "spec.defaultBackend" {
		return ""
	}
	return ".backend"
}

// taken is for a host and path that an Ingress of another namespace has.
func (d *diagnosis) taken(r Request, by candidate) {
	object := "ingress/*"
	for _, i := range d.own() {
		if slices.ContainsFunc(i.Spec.Rules, func(rule networkingv1.IngressRule) bool { return rank(rule.Host, r.Host) == 3 }) {
			object = "ingress/" + i.Name
		}
	}
	owner := by.ingress.Namespace + "/" + by.ingress.Name
	if object == "ingress/*" { // nobody here wants the host: the student's own is probably in the wrong place
		d.add(wrongNamespace(by.ingress.Name, by.ingress.Namespace, d.Namespace, r.Host))
		return
	}
	d.add(Finding{Code: RuleTaken, Object: object, Field: by.field, Expected: "nobody else with " + r.Host + by.path.Path, Observed: "ingress " + owner,
		Text: fmt.Sprintf("host %s with path %s belongs to ingress %s: it is older, or its path is longer", r.Host, by.path.Path, owner)})
}

// byDefault is for a request that no rule should take.
func (d *diagnosis) byDefault(r Request, all []candidate, at int) {
	if at >= 0 && all[at].field != "spec.defaultBackend" && serviceOf(all[at].path.Backend) != r.Service {
		d.winner(r, all, all[at])
		return
	}
	var without, limited string
	for _, i := range d.own() {
		named := slices.ContainsFunc(i.Spec.Rules, func(rule networkingv1.IngressRule) bool { return rank(rule.Host, r.Host) > 0 })
		if b := i.Spec.DefaultBackend; b != nil && len(i.Spec.Rules) > 0 && !named {
			limited = fmt.Sprintf("; that of ingress %s is for the hosts of its rules alone, and none of them is %s", i.Name, r.Host)
			without = i.Name
			continue
		}
		if b := i.Spec.DefaultBackend; b != nil && d.classFault(i) == nil {
			d.backend(r, candidate{i, "spec.defaultBackend", networkingv1.HTTPIngressPath{Path: "/", Backend: *b}})
			if r.Service != "" && serviceOf(*b) != r.Service && d.hasService(serviceOf(*b)) {
				d.add(Finding{Code: ServiceWrong, Object: "ingress/" + i.Name, Field: "spec.defaultBackend.service.name", Expected: r.Service, Observed: serviceOf(*b),
					Text: fmt.Sprintf("the default back-end of ingress %s is service %s, and it should be %s", i.Name, serviceOf(*b), r.Service)})
			}
			return
		}
		if fault := d.classFault(i); fault != nil && i.Spec.DefaultBackend != nil {
			d.add(*fault)
			return
		}
		without = i.Name
	}
	if without == "" {
		d.add(Finding{Code: IngressMissing, Object: "ingress/*", Field: "spec.defaultBackend", Expected: "an Ingress with a default back-end", Observed: "no Ingress",
			Text: "there is no Ingress in namespace " + d.Namespace + ", so none with a default back-end"})
	}
	d.add(Finding{Code: DefaultBackendMissing, Object: "ingress/" + cmp.Or(without, "*"), Field: "spec.defaultBackend", Expected: cmp.Or(r.Service, "a Service"), Observed: "none",
		Text: "no Ingress in namespace " + d.Namespace + " has a spec.defaultBackend for it, so nobody answers what no rule knows" + limited})
}

func serviceOf(b networkingv1.IngressBackend) string {
	if b.Service == nil {
		return ""
	}
	return b.Service.Name
}

func joined(list []string) string {
	switch len(list) {
	case 0:
		return "nothing"
	case 1:
		return list[0]
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
