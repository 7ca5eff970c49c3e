package diagnosis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// ingresses turns what the controller reports about the Ingresses of the namespace into findings.
func (d *diagnosis) ingresses() {
	for _, i := range d.own() {
		if d.classFault(i) != nil || d.isOthers(i) {
			continue
		}
		d.prefixes(i)
		for _, p := range d.problems {
			if p.Object.Kind == "Ingress" && p.Object.Namespace == i.Namespace && p.Object.Name == i.Name {
				d.problem(i, p)
			}
		}
		d.expired(i)
		for n := 0; isCanary(i) && n < len(i.Spec.Rules); n++ {
			for _, t := range targets(i, n) { // perhaps no request of the task uses the backend, so check it here
				d.backend(Request{}, t)
			}
		}
	}
}

// isOthers reports whether an Ingress does not belong to the task: it has no rule for a host of
// the requests, and either all of these have rules, or all hosts of the Ingress are those of other
// tasks.
func (d *diagnosis) isOthers(i *networkingv1.Ingress) bool {
	if len(i.Spec.Rules) == 0 || slices.Contains(d.about.Objects, "ingress/"+i.Name) {
		return false
	}
	served := len(d.about.Requests) > 0
	for _, r := range d.about.Requests {
		_, candidates := d.table.Explain(routing.Request{Host: r.Host, Path: "/"})
		served = served && len(explain(d.table, r).rules) > 0
		for _, c := range candidates {
			if c.Route.Ingress.Name == i.Name && c.Route.Ingress.Namespace == i.Namespace || c.Canary != nil && c.Canary.Ingress.Name == i.Name {
				return false
			}
		}
	}
	own := func(rule networkingv1.IngressRule) bool { return !d.about.isOthersHost(rule.Host) }
	return served && !isCanary(i) || !slices.ContainsFunc(i.Spec.Rules, own)
}

// problem turns one problem of an Ingress into a finding. It skips problems of backends, which
// other methods report for the requests that need them.
func (d *diagnosis) problem(i *networkingv1.Ingress, p routing.Problem) {
	args := p.Reason.Args()
	switch p.Reason.Cause {
	case routing.AnnotationNotSupported, routing.AnnotationInvalid, routing.AnnotationBlocked:
		d.annotation(i, args)
	case routing.RuleTakenByOlder, routing.RuleTakenByLonger, routing.DefaultBackendTaken:
		d.ruleTaken(i.Name, p.Field, p.Reason)
	case routing.CanaryHostUnknown, routing.CanaryPathUnknown:
		d.canary(i, p)
	case routing.ServiceNotFound:
		if !strings.HasPrefix(p.Field, "spec.rules") {
			d.noService(i, p.Field, args["service"], "", "as its default backend")
		}
	case routing.ReferenceNotFound:
		if args["kind"] == "secret" {
			d.noSecret(i, p.Field, args["name"])
		}
	case routing.SecretKeyMissing, routing.UsersKeyMissing, routing.UsersEmpty, routing.UserInvalid, routing.KeyPairInvalid:
		d.secretInvalid(args, p.Reason)
	case routing.CertificateMismatch:
		d.reportf(CertificateHostMismatch, "secret/"+args["secret"], "data[tls.crt]", "a certificate for "+args["host"],
			args["names"], "the certificate in secret %s is for %s, and ingress %s needs one for %s", args["secret"], args["names"],
			i.Name, args["host"])
	}
}

// annotation turns a problem of an annotation into a finding.
func (d *diagnosis) annotation(i *networkingv1.Ingress, args map[string]string) {
	name := args["name"]
	f := Finding{Code: AnnotationInvalid, Object: "ingress/" + i.Name, Field: "metadata.annotations[" + name + "]",
		Observed: i.Annotations[name],
		Text:     fmt.Sprintf("ingress %s: annotation %s %s", i.Name, name, args["text"])}
	entries := annotations.List()
	at := slices.IndexFunc(entries, func(e annotations.Entry) bool { return annotations.Prefix+e.Name == name })
	switch other := args["requires"]; {
	case other != "":
		f.Field, f.Observed = "metadata.annotations["+other+"]", "none"
		f.Text = fmt.Sprintf("ingress %s has the annotation %s, which requires %s, too: %s", i.Name, name, other, args["text"])
	case at >= 0:
		f.Expected = entries[at].Values
	default:
		f.Code, f.Observed = AnnotationUnknown, name
		if near := strictyaml.Nearest(strings.TrimPrefix(name, annotations.Prefix), annotationNames()); near != "" {
			f.Expected = annotations.Prefix + near
		}
	}
	d.add(f)
}

func annotationNames() []string {
	return names(annotations.List(), func(e *annotations.Entry) string { return e.Name })
}

// prefixes finds annotations that the controller ignores because their prefix is wrong or missing.
func (d *diagnosis) prefixes(i *networkingv1.Ingress) {
	for _, full := range slices.Sorted(maps.Keys(i.Annotations)) {
		prefix, name, found := strings.Cut(full, "/")
		if !found {
			prefix, name = "", full
		}
		if right := annotations.Prefix + name; full != right && slices.Contains(annotationNames(), name) {
			d.reportf(AnnotationUnknown, "ingress/"+i.Name, "metadata.annotations["+full+"]", right, full,
				"ingress %s has the annotation %s with the prefix %q, so no controller reads it; use %s", i.Name, full, prefix, right)
		}
	}
}

// canary reports that the controller has no main rule for a canary's rule.
func (d *diagnosis) canary(i *networkingv1.Ingress, p routing.Problem) {
	f := Finding{Code: CanaryWithoutMain, Object: "ingress/" + i.Name, Field: ruleField(p.Field), Observed: cmp.Or(p.Reason.Args()["host"],
		"every host")}
	if slices.ContainsFunc(d.found, func(o Finding) bool { return o.Code == f.Code && o.Object == f.Object }) {
		return // canaryInstead has reported it
	}
	main := find(d.own(), func(o *networkingv1.Ingress) bool { return !isCanary(o) && d.classFault(o) == nil })
	switch {
	case main == nil:
		f.Expected = "a main Ingress with the same host and path"
		f.Text = fmt.Sprintf("ingress %s is a canary, and namespace %s has no main Ingress that it could take a share of", i.Name, d.Namespace)
	case p.Reason.Cause == routing.CanaryPathUnknown:
		f.Field, f.Expected = f.Field+".http.paths", "the path and pathType of the main Ingress"
		f.Text = fmt.Sprintf("ingress %s is a canary for %s, and no main Ingress has a rule with that host, path, and pathType", i.Name,
			p.Reason.Args()["rule"])
	default:
		if len(main.Spec.Rules) > 0 {
			f.Expected = main.Spec.Rules[0].Host
		}
		f.Code, f.Field = CanaryHostDiffers, f.Field+".host"
		f.Text = fmt.Sprintf("ingress %s is a canary for host %s, and the main Ingress, %s, is for %s", i.Name, f.Observed, main.Name,
			cmp.Or(f.Expected, "every host"))
	}
	d.add(f)
}

// canaryInstead finds that the host has no rule because its Ingress is a canary without a main
// Ingress. If another rule was probably meant, only a canary with the right Service counts.
func (d *diagnosis) canaryInstead(r Request, other bool) bool {
	const name = annotations.Prefix + "canary"
	var meant *networkingv1.Ingress
	for _, p := range d.problems {
		i := d.ingress(p.Object.Name)
		if i == nil || p.Object.Namespace != d.Namespace || p.Reason.Cause != routing.CanaryHostUnknown || r.Canary ||
			!r.isFor(p.Reason.Args()["host"]) {
			continue
		}
		right := r.Service != "" && d.serviceAt(i, p.Field) == r.Service
		if right || meant == nil && !other {
			meant, other = i, right
		}
	}
	if meant == nil {
		return false
	}
	d.reportf(CanaryWithoutMain, "ingress/"+meant.Name, "metadata.annotations["+name+"]", "not there", "true",
		"ingress %s has a rule for host %s and the annotation %s, so it only takes a share of a main Ingress; "+
			"no main Ingress has a rule for that host", meant.Name, r.Host, name)
	return true
}

// serviceAt returns the Service of the path at a field.
func (d *diagnosis) serviceAt(i *networkingv1.Ingress, field string) string {
	for n := range i.Spec.Rules {
		for _, t := range targets(i, n) {
			if strings.HasPrefix(t.field, field+".") {
				return t.service()
			}
		}
	}
	return ""
}

// canaryFor follows a request to the Service of a canary.
func (d *diagnosis) canaryFor(r Request) {
	var canaries []string
	for _, i := range d.own() {
		for n := 0; isCanary(i) && n < len(i.Spec.Rules); n++ {
			for _, t := range targets(i, n) {
				d.reportClass(i)
				if t.service() == r.Service || !d.hasService(t.service()) {
					d.backend(Request{Service: r.Service}, t)
					return
				}
				canaries = append(canaries, fmt.Sprintf("ingress %s to service %s", i.Name, t.service()))
			}
		}
	}
	d.reportf(IngressMissing, "ingress/"+r.Service, "metadata.annotations["+annotations.Prefix+"canary]",
		"a canary that sends to service "+r.Service, joinedOr(canaries, "no canary"),
		"no Ingress with the annotation %scanary: \"true\" sends requests to service %s (canaries: %s)", annotations.Prefix, r.Service,
		joinedOr(canaries, "none"))
}

// configMap turns what the controller reports about its ConfigMap into findings.
func (d *diagnosis) configMap() {
	for _, p := range d.problems {
		if d.ConfigMap == nil || p.Object.Kind != "ConfigMap" || p.Object.Name != d.ConfigMap.Name {
			continue
		}
		name := p.Reason.Args()["name"]
		keys := names(annotations.SettingsList(), func(s *annotations.Setting) string { return s.Key })
		f := Finding{Code: ConfigMapInvalid, Object: "configmap/" + d.ConfigMap.Name, Field: p.Field, Observed: d.ConfigMap.Data[name],
			Text: fmt.Sprintf("configmap %s/%s: key %s %s", d.ConfigMap.Namespace, d.ConfigMap.Name, name, p.Reason)}
		if !slices.Contains(keys, name) {
			f.Expected = strictyaml.Nearest(name, keys)
		}
		d.add(f)
	}
}

// expired finds expired certificates of an Ingress.
func (d *diagnosis) expired(i *networkingv1.Ingress) {
	for _, c := range d.table.Certificates() {
		uses := func(entry networkingv1.IngressTLS) bool { return entry.SecretName == c.Secret.Name }
		if c.Secret.Namespace != i.Namespace || !slices.ContainsFunc(i.Spec.TLS, uses) || d.Now.IsZero() || !c.NotAfter.Before(d.Now) {
			continue
		}
		until := c.NotAfter.Format(time.DateOnly)
		d.reportf(CertificateInvalid, "secret/"+c.Secret.Name, "data[tls.crt]", "valid today", "valid until "+until,
			"the certificate in secret %s expired on %s", c.Secret.Name, until)
	}
}

// controllerSays passes on the controller's Events about Ingresses, Services, Secrets, and
// ConfigMaps, the newest last. Events stay for an hour, so one about an Ingress counts only if the
// controller would report its problem now.
func (d *diagnosis) controllerSays() {
	for _, e := range d.Events {
		o := e.InvolvedObject
		kind := strings.ToLower(o.Kind)
		if e.Type != corev1.EventTypeWarning || !slices.Contains([]string{"ingress", "service", "secret", "configmap"}, kind) {
			continue
		}
		still := slices.ContainsFunc(d.problems, func(p routing.Problem) bool {
			return e.Reason == p.Code && p.Reason.Cause != routing.CertificateMismatch && strings.HasPrefix(e.Message, p.Field+": ") &&
				o.Kind == p.Object.Kind && o.Namespace == p.Object.Namespace && o.Name == p.Object.Name &&
				(o.UID == "" || p.Object.UID == "" || string(o.UID) == p.Object.UID)
		})
		if still || kind != "ingress" {
			d.reportf(ControllerSays, kind+"/"+o.Name, "", "", e.Message, "the controller reports for %s %s: %s", kind, o.Name, e.Message)
		}
	}
}
