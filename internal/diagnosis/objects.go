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

	"github.com/ingresslab/ingresslab/controller/routing"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

func (d *diagnosis) service(name string) *corev1.Service {
	return find(pointers(d.Services), func(s *corev1.Service) bool { return s.Name == name })
}

func (d *diagnosis) hasService(name string) bool { return d.service(name) != nil }

func (d *diagnosis) secret(name string) *corev1.Secret {
	return find(pointers(d.Secrets), func(s *corev1.Secret) bool { return s.Name == name })
}

func names[T any](list []T, name func(*T) string) []string {
	var all []string
	for i := range list {
		all = append(all, name(&list[i]))
	}
	return all
}

func (d *diagnosis) serviceNames() []string {
	return names(d.Services, func(s *corev1.Service) string { return s.Name })
}

func (d *diagnosis) secretNames() []string {
	return names(d.Secrets, func(s *corev1.Secret) string { return s.Name })
}

// nearest returns the name that was probably meant, and words about it for a sentence; both are
// empty if none is similar.
func nearest(name string, all []string) (expected, text string) {
	if near := strictyaml.Nearest(name, all); near != "" {
		return near, fmt.Sprintf("; there is %q", near)
	}
	return "", ""
}

// named finds the objects that the task expects and that do not exist.
func (d *diagnosis) named() {
	for _, object := range d.about.Objects {
		kind, name, _ := strings.Cut(object, "/")
		switch kind {
		case "deployment":
			d.deployment(name)
		case "service":
			if s := d.service(name); s == nil {
				d.missing(ServiceMissing, kind, name, d.serviceNames())
			} else {
				d.pods(s, slices.Concat(s.Spec.Ports, []corev1.ServicePort{{}})[0], false)
			}
		case "ingress":
			if i := d.ingress(name); i == nil && !d.elsewhere(name) {
				d.missing(IngressMissing, kind, name, names(d.own(), func(o **networkingv1.Ingress) string { return (*o).Name }))
			} else if i != nil {
				d.reportClass(i)
			}
		case "secret":
			if d.secret(name) == nil {
				d.missing(SecretMissing, kind, name, d.secretNames())
			}
		}
	}
}

func (d *diagnosis) missing(code, kind, name string, all []string) {
	_, near := nearest(name, all)
	if near == "" && len(all) > 0 && len(all) <= 4 {
		near = "; there is " + joined(all)
	}
	d.reportf(code, kind+"/"+name, "", name, joinedOr(all, "none"), "namespace %s has no %s %s%s", d.Namespace, kind, name, near)
}

// elsewhere finds an Ingress of that name in another namespace, with a rule for the host of a
// request.
func (d *diagnosis) elsewhere(name string) bool {
	for _, r := range d.about.Requests {
		for _, c := range explain(d.table, r).rules {
			if in := c.Route.Ingress; in.Name == name && in.Namespace != d.Namespace && c.Route.Host != "" {
				d.add(d.wrongNamespace(name, in.Namespace, ""))
				return true
			}
		}
	}
	return false
}

// starting is how long a new pod can take to become ready while old pods are ready.
const starting = 4 * time.Second

// deployment reports why a Deployment has no ready pod, or why its new pods are not ready.
func (d *diagnosis) deployment(name string) {
	for _, w := range d.Deployments {
		if w.Name != name {
			continue
		}
		other := func(p *corev1.Pod) bool { return ownerOf(p) != "deployment/"+name || p.DeletionTimestamp != nil }
		pods := slices.DeleteFunc(pointers(d.Pods), other)
		switch {
		case w.Spec.Replicas != nil && *w.Spec.Replicas == 0:
			d.scaledToZero(w, "")
		case len(pods) > 0 && !slices.ContainsFunc(pods, isReady):
			d.notReady(fmt.Sprintf("deployment %s has %s, and none is ready", name, count(len(pods))), pods)
		case !d.cannotStart(pods):
			// During a rollout the old pods keep serving.
			late := slices.DeleteFunc(pods, func(p *corev1.Pod) bool { return isReady(p) || d.Now.Sub(p.CreationTimestamp.Time) < starting })
			if len(late) > 0 {
				d.notReady(fmt.Sprintf("deployment %s has %s not ready, next to ready ones", name, count(len(late))), late)
			}
		}
		return
	}
	d.missing(DeploymentMissing, "deployment", name, names(d.Deployments, deploymentName))
}

// nodePorts finds the node ports that no Service has.
func (d *diagnosis) nodePorts() {
	var all []string
	numbers := map[int32]bool{}
	for _, s := range slices.Concat(d.Services, d.System) {
		for _, p := range s.Spec.Ports {
			if p.NodePort != 0 {
				all = append(all, fmt.Sprintf("%d (service %s/%s)", p.NodePort, s.Namespace, s.Name))
				numbers[p.NodePort] = true
			}
		}
	}
	for _, want := range d.about.NodePorts {
		if !numbers[want] {
			d.reportf(NodePortMissing, "service/*", "spec.ports[0].nodePort", fmt.Sprint(want), joinedOr(all, "none"),
				"no Service has the node port %d; the node ports are: %s", want, joinedOr(all, "none"))
		}
	}
}

// call follows a request that a pod sends to a Service.
func (d *diagnosis) call(c Call) {
	s := d.service(c.Service)
	if s == nil {
		d.missing(ServiceMissing, "service", c.Service, d.serviceNames())
		return
	}
	if at := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == c.Port }); at >= 0 {
		d.pods(s, s.Spec.Ports[at], c.Failed)
		return
	}
	if s.Spec.ClusterIP == corev1.ClusterIPNone { // a headless Service translates no ports, so the pods must have this one
		d.pods(s, corev1.ServicePort{Port: c.Port}, false)
	}
	d.reportf(ServicePortMissing, "service/"+s.Name, "spec.ports[0].port", fmt.Sprint(c.Port), portsOf(s),
		"the request is for port %d of service %s, which has %s", c.Port, s.Name, portsOf(s))
}

// tlsOf compares a request over TLS with the certificates that the controller has.
func (d *diagnosis) tlsOf(r Request, e explained) {
	host := strings.ToLower(r.Host)
	if d.table.HasCertificate(host) {
		if d.table.Certificate(host) == nil {
			d.noSecretName()
		}
		return
	}
	var i *networkingv1.Ingress
	if len(e.rules) > 0 {
		i = d.ingress(e.rules[0].Route.Ingress.Name)
	}
	var hosts []string
	for _, o := range d.own() {
		if d.classFault(o) == nil && !isCanary(o) && len(o.Spec.TLS) > 0 {
			i = cmp.Or(i, o)
			for _, entry := range o.Spec.TLS {
				if len(entry.Hosts) == 0 {
					return // an entry without hosts applies to all hosts of its Ingress
				}
				hosts = append(hosts, entry.Hosts...)
			}
		}
	}
	if i != nil {
		d.reportf(CertificateHostMismatch, "ingress/"+i.Name, "spec.tls", r.Host, joinedOr(hosts, "no spec.tls"),
			"ingress %s has no spec.tls for host %s (%s), so clients get the default certificate", i.Name, r.Host,
			joinedOr(hosts, "it has none at all"))
	}
}

// noSecretName finds entries of spec.tls without a Secret.
func (d *diagnosis) noSecretName() {
	for _, i := range d.own() {
		for n, entry := range i.Spec.TLS {
			if entry.SecretName == "" && d.classFault(i) == nil {
				d.reportf(SecretMissing, "ingress/"+i.Name, fmt.Sprintf("spec.tls[%d].secretName", n), "the name of a Secret", "none",
					"spec.tls[%d] of ingress %s has no secretName, so clients get the default certificate", n, i.Name)
			}
		}
	}
}

func (d *diagnosis) noSecret(i *networkingv1.Ingress, field, name string) {
	expected, near := nearest(name, d.secretNames())
	d.reportf(SecretMissing, "ingress/"+i.Name, field, expected, name,
		"ingress %s refers to secret %q in %s, which is not in namespace %s%s", i.Name, name, field, d.Namespace, near)
}

// secretInvalid turns a problem with the content of a Secret into findings.
func (d *diagnosis) secretInvalid(args map[string]string, why routing.Reason) {
	s := d.secret(args["secret"])
	if s == nil {
		return // the Secret is in another namespace
	}
	f := Finding{Code: AuthFileInvalid, Object: "secret/" + s.Name, Field: "data[auth]", Expected: "lines of user:hash"}
	value, has := s.Data[cmp.Or(args["key"], "auth")]
	switch cause := why.Cause; {
	case cause == routing.UserInvalid:
		f.Observed = args["where"] + " " + args["error"]
		f.Text = fmt.Sprintf("in secret %s, %s: %s", s.Name, args["where"], args["error"])
	case cause == routing.KeyPairInvalid:
		f = Finding{Code: CertificateInvalid, Object: f.Object, Field: "data[tls.crt]", Expected: "a certificate and its key",
			Observed: args["error"],
			Text:     fmt.Sprintf("secret %s has no valid certificate with its key: %s", s.Name, args["error"])}
	case cause == routing.UsersEmpty && (!has || len(value) > 0):
		f.Observed, f.Text = "no user", fmt.Sprintf("secret %s has no user, so no user can log in", s.Name)
	default:
		key, keys := cmp.Or(args["key"], "auth"), slices.Sorted(maps.Keys(s.Data))
		f = Finding{Code: SecretKeyMissing, Object: f.Object, Field: "data[" + key + "]", Expected: key, Observed: joinedOr(keys, "no key"),
			Text: fmt.Sprintf("secret %s has no key %s; its keys are %s", s.Name, key, joinedOr(keys, "none"))}
		if has {
			f.Expected, f.Observed, f.Text = "", "nothing", fmt.Sprintf("the key %s of secret %s is empty", key, s.Name)
		}
		if cause == routing.SecretKeyMissing && s.Type != corev1.SecretTypeTLS {
			d.reportf(SecretTypeWrong, f.Object, "type", string(corev1.SecretTypeTLS), string(s.Type),
				"secret %s has type %s; `kubectl create secret tls` creates one of type %s, with the right keys", s.Name, s.Type,
				corev1.SecretTypeTLS)
		}
	}
	d.add(f)
}

// user finds that the user of a request is not in the Secret of its route.
func (d *diagnosis) user(r Request, route *routing.Route) {
	if r.User == "" || route == nil || !route.Policy.Auth.Basic || route.Policy.Users == nil {
		return
	}
	_, name, found := strings.Cut(route.Policy.Auth.Secret, "/")
	if !found {
		name = route.Policy.Auth.Secret
	}
	s := d.secret(name)
	if s == nil {
		return
	}
	users := slices.Sorted(maps.Keys(s.Data))
	if !route.Policy.Auth.SecretMap {
		users = nil
		for line := range strings.Lines(string(s.Data["auth"])) {
			if user, _, found := strings.Cut(line, ":"); found && !strings.HasPrefix(line, "#") {
				users = append(users, strings.TrimSpace(user))
			}
		}
	}
	if !slices.Contains(users, r.User) {
		d.reportf(UserMissing, "secret/"+s.Name, "data[auth]", "a line for "+r.User, joined(users),
			"secret %s has no user %s; its users are: %s", s.Name, r.User, joined(users))
	}
}
