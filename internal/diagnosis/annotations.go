package diagnosis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// ingresses judges what the Ingresses of the namespace ask for beside their rules.
func (d *diagnosis) ingresses() {
	for _, i := range d.own() {
		if d.classFault(i) != nil || d.isOthers(i) {
			continue
		}
		d.annotations(i)
		d.tlsEntries(i)
		d.passwords(i)
		if b := i.Spec.DefaultBackend; b != nil && !d.hasService(serviceOf(*b)) {
			d.backend(Request{}, candidate{i, "spec.defaultBackend", networkingv1.HTTPIngressPath{Path: "/", Backend: *b}})
		}
		d.errorBackend(i)
		if isCanary(i) {
			d.canary(i)
			d.canaryBackends(i)
		} else {
			d.conflicts(i)
		}
	}
}

// isOthers tells whether an Ingress is for hosts alone that nobody asks for here: those that others ask for, or any, if there are rules for
// all that is asked for.
func (d *diagnosis) isOthers(i *networkingv1.Ingress) bool {
	if len(i.Spec.Rules) == 0 || slices.Contains(d.about.Objects, "ingress/"+i.Name) {
		return false
	}
	served := len(d.about.Requests) > 0
	for _, r := range d.about.Requests {
		served = served && len(d.candidates(r.Host)) > 0
		if slices.ContainsFunc(i.Spec.Rules, func(rule networkingv1.IngressRule) bool { return rank(rule.Host, r.Host) > 0 }) ||
			slices.ContainsFunc(i.Spec.TLS, func(entry networkingv1.IngressTLS) bool { return slices.Contains(entry.Hosts, r.Host) }) {
			return false
		}
	}
	if served && !isCanary(i) {
		return true
	}
	return len(i.Spec.Rules) > 0 && !slices.ContainsFunc(i.Spec.Rules, func(rule networkingv1.IngressRule) bool {
		return !slices.ContainsFunc(d.about.OtherHosts, func(h string) bool { return strings.EqualFold(h, rule.Host) })
	})
}

// annotations passes on what the controller finds wrong with an Ingress's annotations, and finds those whose prefix is wrong, which
// the controller takes for somebody else's.
func (d *diagnosis) annotations(i *networkingv1.Ingress) {
	var known []string
	for _, e := range annotations.List() {
		known = append(known, e.Name)
	}
	for _, full := range slices.Sorted(maps.Keys(i.Annotations)) {
		prefix, name, found := strings.Cut(full, "/")
		if found && prefix+"/" != annotations.Prefix && slices.Contains(known, name) {
			d.add(Finding{Code: AnnotationUnknown, Object: "ingress/" + i.Name, Field: "metadata.annotations[" + full + "]", Expected: annotations.Prefix + name, Observed: full,
				Text: fmt.Sprintf("ingress %s has the annotation %s, which nobody reads; there is %s%s", i.Name, full, annotations.Prefix, name)})
		}
		if !found && slices.Contains(known, full) {
			d.add(Finding{Code: AnnotationUnknown, Object: "ingress/" + i.Name, Field: "metadata.annotations[" + full + "]", Expected: annotations.Prefix + full, Observed: full,
				Text: fmt.Sprintf("ingress %s has the annotation %s without its prefix; it is %s%s", i.Name, full, annotations.Prefix, full)})
		}
	}
	_, faults := annotations.Parse(i.Annotations, annotations.DefaultSettings().Options)
	for _, fault := range faults {
		name := strings.TrimPrefix(fault.Name, annotations.Prefix)
		if other, why, found := strings.Cut(fault.Reason, " is missing"); found && slices.Contains(known, other) {
			full := annotations.Prefix + other
			d.add(Finding{Code: AnnotationInvalid, Object: "ingress/" + i.Name, Field: "metadata.annotations[" + full + "]", Observed: "none",
				Text: fmt.Sprintf("ingress %s has the annotation %s and lacks %s, which goes with it%s", i.Name, fault.Name, full, why)})
			continue
		}
		f := Finding{Code: AnnotationInvalid, Object: "ingress/" + i.Name, Field: "metadata.annotations[" + fault.Name + "]", Observed: i.Annotations[fault.Name],
			Text: fmt.Sprintf("ingress %s: annotation %s %s", i.Name, fault.Name, fault.Reason)}
		if !slices.Contains(known, name) {
			f.Code, f.Observed = AnnotationUnknown, fault.Name
			if near := strictyaml.Nearest(name, known); near != "" {
				f.Expected = annotations.Prefix + near
			}
		} else if at := slices.IndexFunc(annotations.List(), func(e annotations.Entry) bool { return e.Name == name }); at >= 0 {
			f.Expected = annotations.List()[at].Values
		}
		d.add(f)
	}
}

// errorBackend judges the annotation that names a Service for errors.
func (d *diagnosis) errorBackend(i *networkingv1.Ingress) {
	const name = annotations.Prefix + "default-backend"
	service := i.Annotations[name]
	if service == "" || d.hasService(service) {
		return
	}
	expected, near := nearest(service, d.serviceNames())
	d.add(Finding{Code: DefaultBackendMissing, Object: "ingress/" + i.Name, Field: "metadata.annotations[" + name + "]", Expected: expected, Observed: service,
		Text: fmt.Sprintf("ingress %s names service %q as its default back-end, which is not in namespace %s%s", i.Name, service, d.Namespace, near)})
}

// canary finds out whether a canary has a main route to take its share of.
func (d *diagnosis) canary(i *networkingv1.Ingress) {
	if slices.ContainsFunc(d.found, func(f Finding) bool { return f.Code == CanaryWithoutMain && f.Object == "ingress/"+i.Name }) {
		return // canaryInstead has said so
	}
	for n, rule := range i.Spec.Rules {
		var mains []*networkingv1.Ingress
		sameHost := false
		for _, main := range d.own() {
			if isCanary(main) || d.classFault(main) != nil {
				continue
			}
			mains = append(mains, main)
			for m, other := range main.Spec.Rules {
				if !strings.EqualFold(other.Host, rule.Host) {
					continue
				}
				sameHost = true
				if samePath(pathsOf(main, m), pathsOf(i, n)) {
					return
				}
			}
		}
		field := fmt.Sprintf("spec.rules[%d]", n)
		f := Finding{Code: CanaryWithoutMain, Object: "ingress/" + i.Name, Field: field, Observed: rule.Host}
		switch {
		case len(mains) == 0:
			f.Expected = "an Ingress that is no canary, with the same host and path"
			f.Text = fmt.Sprintf("ingress %s is a canary, and namespace %s has no other Ingress that it could take a share of", i.Name, d.Namespace)
		case sameHost:
			f.Field, f.Expected = field+".http.paths", "the path and pathType of the main Ingress"
			f.Text = fmt.Sprintf("ingress %s is a canary for %s with %s, and no other Ingress has that host with that path and pathType", i.Name, rule.Host, pathList(pathsOf(i, n)))
		default:
			main := mains[0].Spec.Rules
			expected := ""
			if len(main) > 0 {
				expected = main[0].Host
			}
			f.Code, f.Field, f.Expected = CanaryHostDiffers, field+".host", expected
			f.Text = fmt.Sprintf("ingress %s is a canary for host %s, and the Ingress that is no canary, %s, is for %s", i.Name, rule.Host, mains[0].Name, cmp.Or(expected, "every host"))
		}
		d.add(f)
	}
}

// canaryInstead finds an Ingress with a rule for the host that makes no rule, because it is a canary and there is nothing else. If
// another rule was meant, only one that leads to the Service counts.
func (d *diagnosis) canaryInstead(r Request, other bool) bool {
	const name = annotations.Prefix + "canary"
	var meant *networkingv1.Ingress
	for _, i := range d.own() {
		for n, rule := range i.Spec.Rules {
			if !isCanary(i) || r.Canary || rank(rule.Host, r.Host) < 2 {
				continue
			}
			right := slices.ContainsFunc(pathsOf(i, n), func(c candidate) bool { return serviceOf(c.path.Backend) == r.Service })
			if right || meant == nil && !other {
				meant, other = i, right
			}
		}
	}
	if meant == nil {
		return false
	}
	d.add(Finding{Code: CanaryWithoutMain, Object: "ingress/" + meant.Name, Field: "metadata.annotations[" + name + "]", Expected: "not there", Observed: "true",
		Text: fmt.Sprintf("ingress %s has a rule for host %s and the annotation %s, which makes it a share of another Ingress's requests; there is no other one for that host",
			meant.Name, r.Host, name)})
	return true
}

// canaryBackends judges where a canary sends its share. No request is led there for certain, so following one does not show it.
func (d *diagnosis) canaryBackends(i *networkingv1.Ingress) {
	for n := range i.Spec.Rules {
		for _, c := range pathsOf(i, n) {
			d.backend(Request{}, c)
		}
	}
}

func samePath(mains, canaries []candidate) bool {
	return slices.ContainsFunc(canaries, func(c candidate) bool {
		return slices.ContainsFunc(mains, func(m candidate) bool { return m.path.Path == c.path.Path && m.kind() == c.kind() })
	})
}

// canaryFor follows a request to the Service of a canary.
func (d *diagnosis) canaryFor(r Request) {
	var canaries []string
	for _, i := range d.own() {
		if !isCanary(i) {
			continue
		}
		for n := range i.Spec.Rules {
			for _, c := range pathsOf(i, n) {
				if fault := d.classFault(i); fault != nil {
					d.add(*fault)
				}
				if serviceOf(c.path.Backend) == r.Service || !d.hasService(serviceOf(c.path.Backend)) {
					d.backend(Request{Service: r.Service}, c)
					return
				}
				canaries = append(canaries, fmt.Sprintf("ingress %s to service %s", i.Name, serviceOf(c.path.Backend)))
			}
		}
	}
	d.add(Finding{Code: IngressMissing, Object: "ingress/" + r.Service, Field: "metadata.annotations[" + annotations.Prefix + "canary]", Expected: "a canary that sends to service " + r.Service,
		Observed: joinedOr(canaries, "no canary"), Text: fmt.Sprintf("no Ingress with the annotation %scanary: \"true\" sends requests to service %s (there is: %s)",
			annotations.Prefix, r.Service, joinedOr(canaries, "none"))})
}

// conflicts finds hosts and paths of an Ingress that another one has, which is older or comes first by name.
func (d *diagnosis) conflicts(i *networkingv1.Ingress) {
	for n, rule := range i.Spec.Rules {
		for _, c := range pathsOf(i, n) {
			for _, other := range d.candidates(rule.Host) {
				same := other.path.Path == c.path.Path && other.kind() == c.kind() && hostOf(other) == strings.ToLower(rule.Host)
				if same && other.ingress != c.ingress && other.before(c) < 0 {
					d.add(ruleTaken(c, rule.Host, other))
				}
			}
		}
	}
}

// ruleTaken says that another Ingress has a path already.
func ruleTaken(c candidate, host string, by candidate) Finding {
	owner := by.ingress.Namespace + "/" + by.ingress.Name
	return Finding{Code: RuleTaken, Object: c.object(), Field: c.field, Expected: "nobody else with " + host + c.path.Path, Observed: "ingress " + owner,
		Text: fmt.Sprintf("ingress %s has the rule %s%s, which ingress %s has, too; that one is older, or comes first by name, and keeps it",
			c.ingress.Name, host, c.path.Path, owner)}
}

// hostOf is the host of the rule that a path is of.
func hostOf(c candidate) string {
	var n int
	if _, err := fmt.Sscanf(c.field, "spec.rules[%d]", &n); err != nil {
		return ""
	}
	return strings.ToLower(c.ingress.Spec.Rules[n].Host)
}

// configMap passes on what the controller finds wrong with its ConfigMap.
func (d *diagnosis) configMap() {
	if d.ConfigMap == nil {
		return
	}
	var keys []string
	for _, s := range annotations.SettingsList() {
		keys = append(keys, s.Key)
	}
	_, faults := annotations.ParseSettings(d.ConfigMap.Data)
	for _, fault := range faults {
		expected, near := nearest(fault.Name, keys)
		if expected == fault.Name {
			expected, near = "", ""
		}
		if strings.Contains(fault.Reason, "did you mean") {
			near = ""
		}
		d.add(Finding{Code: ConfigMapInvalid, Object: "configmap/" + d.ConfigMap.Name, Field: "data[" + fault.Name + "]", Expected: expected, Observed: d.ConfigMap.Data[fault.Name],
			Text: fmt.Sprintf("configmap %s/%s: key %s %s%s", d.ConfigMap.Namespace, d.ConfigMap.Name, fault.Name, fault.Reason, near)})
	}
}
