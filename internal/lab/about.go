package lab

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// about says what a task asks of the cluster, as far as it is not so yet: the steps of its check from the one that does not hold. The
// lab's solution tells what is meant where the check does not say it: which Service is a canary's, which one a default back-end.
func (l *Lab) about(t Task, seen []scenario.StepReport) diagnosis.About {
	meant := l.meant()
	failing := max(len(seen)-1, 0)
	var a diagnosis.About
	for i, step := range t.Check[min(failing, len(t.Check)):] {
		status := 0
		if i == 0 && len(seen) > 0 && seen[failing].Answer != nil {
			status = seen[failing].Answer.Status
		}
		l.addStep(&a, meant, step, status)
	}
	asked := func(host string) bool {
		return slices.ContainsFunc(a.Requests, func(r diagnosis.Request) bool { return strings.EqualFold(r.Host, host) })
	}
	for _, host := range append(meant.hosts, l.hosts()...) {
		if host != "" && !asked(host) && !slices.Contains(a.OtherHosts, host) {
			a.OtherHosts = append(a.OtherHosts, host)
		}
	}
	return a
}

func (l *Lab) addStep(a *diagnosis.About, meant intent, step scenario.Step, status int) {
	switch {
	case step.Expect != nil:
		l.addRequest(a, meant, *step.Expect, status)
	case step.Traffic != nil:
		e := scenario.Expect{URL: step.Traffic.URL, Header: step.Traffic.Header}
		if share := step.Traffic.Expect.Share; share != nil && (share.Percent == 100 || meant.isCanary(share.Service)) {
			e.Service = share.Service
		}
		l.addRequest(a, meant, e, status)
	case step.Wait != nil:
		addWait(a, *step.Wait)
	}
}

// addRequest adds a request through the ingress. One that has to be refused for want of a rule or of pods asks for nothing.
func (l *Lab) addRequest(a *diagnosis.About, meant intent, e scenario.Expect, status int) {
	if place, port, _ := strings.Cut(e.To, ":"); strings.HasPrefix(place, "node") {
		if n, err := strconv.ParseInt(port, 10, 32); err == nil && n >= 30000 {
			a.NodePorts = append(a.NodePorts, int32(n))
		}
	}
	u, err := url.Parse(e.URL)
	throughIngress := e.From == "" || e.To != "" && !strings.HasPrefix(e.To, "pod/") && !strings.HasPrefix(e.To, "service/")
	if err != nil || !throughIngress || e.Status == 503 {
		return
	}
	r := diagnosis.Request{Host: e.Host(), Path: u.Path, TLS: u.Scheme == "https", Service: e.Service, Status: status}
	if r.Service == "" && l.hasService(e.App) {
		r.Service = e.App
	}
	r.Canary = meant.isCanary(r.Service)
	r.ByDefault = r.Service != "" && slices.Contains(meant.defaults, r.Service) && !slices.Contains(meant.backends, r.Service)
	if e.Status == 404 && r.Service == "" {
		return
	}
	a.Requests = append(a.Requests, r)
}

func addWait(a *diagnosis.About, w scenario.Wait) {
	switch {
	case w.Gone != nil && *w.Gone, w.Endpoints != nil && *w.Endpoints == 0:
	case w.Deployment != "":
		a.Objects = append(a.Objects, "deployment/"+w.Deployment)
	case w.Service != "":
		a.Objects = append(a.Objects, "service/"+w.Service)
	case w.Ingress != "":
		a.Objects = append(a.Objects, "ingress/"+w.Ingress)
	case w.Object != "" && w.Namespace == "":
		a.Objects = append(a.Objects, strings.ToLower(w.Object))
	}
	if strings.Contains(w.JSONPath, "nodePort") && w.Value != nil {
		if n, err := strconv.ParseInt(*w.Value, 10, 32); err == nil {
			a.NodePorts = append(a.NodePorts, int32(n))
		}
	}
}

// hasService tells whether the lab's manifests have a Service of a name.
func (l *Lab) hasService(name string) bool {
	return name != "" && find(l.Named(), key{"Service", l.Namespace, name}) != nil
}

// hosts are those that the checks of the lab ask for.
func (l *Lab) hosts() []string {
	var all []string
	for _, t := range l.Tasks {
		for _, step := range t.Check {
			if step.Expect != nil {
				all = append(all, step.Expect.Host())
			}
			if step.Traffic != nil {
				all = append(all, scenario.Expect{URL: step.Traffic.URL, Header: step.Traffic.Header}.Host())
			}
		}
	}
	return all
}

// intent is what the Ingresses of solution/ mean.
type intent struct {
	hosts []string
	// backends, canaries and defaults are the Services of rules, of canaries' rules and of default back-ends.
	backends, canaries, defaults []string
}

func (m intent) isCanary(service string) bool {
	return slices.Contains(m.canaries, service) && !slices.Contains(m.backends, service)
}

func (l *Lab) meant() intent {
	var m intent
	for _, o := range l.Solution {
		var i networkingv1.Ingress
		if o.GetKind() != "Ingress" || runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &i) != nil {
			continue
		}
		if b := i.Spec.DefaultBackend; b != nil && b.Service != nil {
			m.defaults = append(m.defaults, b.Service.Name)
		}
		for _, rule := range i.Spec.Rules {
			m.hosts = append(m.hosts, rule.Host)
			if rule.HTTP == nil {
				continue
			}
			for _, path := range rule.HTTP.Paths {
				switch {
				case path.Backend.Service == nil:
				case i.Annotations["nginx.ingress.kubernetes.io/canary"] == "true":
					m.canaries = append(m.canaries, path.Backend.Service.Name)
				default:
					m.backends = append(m.backends, path.Backend.Service.Name)
				}
			}
		}
	}
	return m
}
