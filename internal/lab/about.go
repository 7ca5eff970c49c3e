package lab

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// about returns what a task expects of the cluster: the failing step of its check, and all steps
// after it. The lab's solution shows which Service belongs to a canary or a default backend.
func (l *Lab) about(t Task, seen []scenario.StepReport) diagnosis.About {
	meant := l.meant()
	failing := max(len(seen)-1, 0)
	var a diagnosis.About
	for i, step := range t.Check[min(failing, len(t.Check)):] {
		var came *scenario.StepReport
		if i == 0 && len(seen) > 0 {
			came = &seen[failing]
		}
		l.addStep(&a, meant, step, came)
	}
	expected := func(host string) bool {
		return slices.ContainsFunc(a.Requests, func(r diagnosis.Request) bool { return strings.EqualFold(r.Host, host) })
	}
	for _, host := range append(meant.hosts, l.hosts()...) {
		if host != "" && !expected(host) && !slices.Contains(a.OtherHosts, host) {
			a.OtherHosts = append(a.OtherHosts, host)
		}
	}
	for _, r := range l.requests(meant) {
		if !expected(r.Host) {
			a.Others = append(a.Others, r)
		}
	}
	return a
}

func (l *Lab) requests(meant intent) []diagnosis.Request {
	var all diagnosis.About
	for _, t := range l.Tasks {
		for _, step := range t.Check {
			l.addStep(&all, meant, step, nil)
		}
	}
	return all.Requests
}

// addStep adds what a step expects. seen is the step's report, or nil if the step did not run.
func (l *Lab) addStep(a *diagnosis.About, meant intent, step scenario.Step, seen *scenario.StepReport) {
	status, failed := 0, false
	if seen != nil && seen.Answer != nil {
		status = seen.Answer.Status
	}
	failed = seen != nil && status == 0 && seen.Outcome == scenario.Failed
	switch {
	case step.Expect != nil:
		if call, is := l.call(*step.Expect); is {
			call.Failed = failed
			a.Calls = append(a.Calls, call)
			return
		}
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

// call returns the request that a pod sends to a Service of the lab by its name. It returns false
// if e is no such request.
func (l *Lab) call(e scenario.Expect) (diagnosis.Call, bool) {
	u, err := url.Parse(e.URL)
	if err != nil || e.From == "" {
		return diagnosis.Call{}, false
	}
	name, port := u.Hostname(), u.Port()
	if to, is := strings.CutPrefix(e.ConnectTo, "service/"); is {
		name, port, _ = strings.Cut(to, ":")
	} else if e.ConnectTo != "" {
		return diagnosis.Call{}, false
	}
	n, err := strconv.ParseInt(cmp.Or(port, map[string]string{"http": "80", "https": "443"}[u.Scheme]), 10, 32)
	return diagnosis.Call{Service: name, Port: int32(n)}, err == nil && l.hasService(name)
}

// addRequest adds a request through the controller. It skips a request that expects 503, which
// requires no object.
func (l *Lab) addRequest(a *diagnosis.About, meant intent, e scenario.Expect, status int) {
	if place, port, _ := strings.Cut(e.ConnectTo, ":"); strings.HasPrefix(place, "node") {
		if n, err := strconv.ParseInt(port, 10, 32); err == nil && n >= 30000 {
			a.NodePorts = append(a.NodePorts, int32(n))
		}
	}
	u, err := url.Parse(e.URL)
	if err != nil || !l.throughIngress(e) || e.Status == 503 {
		return
	}
	r := diagnosis.Request{Host: e.Host(), Path: u.Path, TLS: u.Scheme == "https", Service: e.Service, User: userOf(e), Status: status}
	if r.Service == "" && l.hasService(e.App) {
		r.Service = e.App
	}
	r.Canary = meant.isCanary(r.Service)
	r.ByDefault = r.Service != "" && slices.Contains(meant.defaults, r.Service) && !slices.Contains(meant.backends, r.Service)
	if e.Status == 404 && r.Service == "" {
		app, is := e.ResponseHeader["X-App"]
		if r.Unserved = is && app == ""; !r.Unserved {
			return // the controller or a default backend can send this response
		}
	}
	a.Requests = append(a.Requests, r)
}

// throughIngress reports whether a request goes to the controller. It comes from outside the
// cluster, or from a pod with connectTo. On a node, the controller has ports 80 and 443, and the
// node ports of the lab's Services that select its pods.
func (l *Lab) throughIngress(e scenario.Expect) bool {
	place, port, _ := strings.Cut(e.ConnectTo, ":")
	switch {
	case e.ConnectTo == "":
		return e.From == ""
	case strings.HasPrefix(place, "node"):
		return port == "" || port == "80" || port == "443" || slices.Contains(l.ingressNodePorts(), port)
	}
	return !strings.HasPrefix(place, "pod/") && !strings.HasPrefix(place, "service/")
}

// ingressNodePorts returns the node ports of the controller's HTTP and HTTPS ports.
func (l *Lab) ingressNodePorts() []string {
	var all []string
	for _, o := range slices.Concat(l.Start, l.Solution) {
		var s corev1.Service
		if o.GetKind() != "Service" || o.GetNamespace() != ControllerNamespace ||
			runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &s) != nil {
			continue
		}
		for _, p := range s.Spec.Ports {
			if p.NodePort != 0 && (p.Port == 80 || p.Port == 443) {
				all = append(all, strconv.Itoa(int(p.NodePort)))
			}
		}
	}
	return all
}

// userOf returns the user of a request with basic authentication. It is empty if there is none, or
// if the request expects 401.
func userOf(e scenario.Expect) string {
	for name, value := range e.Header {
		coded, is := strings.CutPrefix(value, "Basic ")
		if !strings.EqualFold(name, "Authorization") || !is || e.Status == 401 {
			continue
		}
		pair, _ := base64.StdEncoding.DecodeString(coded) // the user is empty if the header is invalid
		user, _, _ := strings.Cut(string(pair), ":")
		return user
	}
	return ""
}

func addWait(a *diagnosis.About, w scenario.Wait) {
	switch {
	case w.Exists != nil && !*w.Exists, w.Endpoints != nil && *w.Endpoints == 0:
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

func (l *Lab) hasService(name string) bool {
	return name != "" && find(l.Named(), key{"Service", l.Namespace, name}) != nil
}

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

// intent has the hosts and Services of the Ingresses in solution/.
type intent struct {
	hosts []string
	// backends are the Services of rules, canaries those of a canary's rules, and defaults those of
	// default backends.
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
