package scenario

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// expect asks until the answer is as expected. That there is none at all is a failure like any other wrong answer: only
// the ingress is asked, not the lab.
func (r *runner) expect(ctx context.Context, e Expect, report *StepReport) {
	c := converge(ctx, patience{within: e.Within.or(expectWithin), streak: steady}, func(ctx context.Context) look {
		return r.seeAnswer(ctx, e)
	})
	if err := report.settle(c, Failed); err != nil {
		report.Error = err.Error()
	}
}

func (r *runner) seeAnswer(ctx context.Context, e Expect) look {
	o := r.env.HTTP.Do(ctx, e.request(r.names))
	if o.Err != nil {
		return look{err: o.Err}
	}
	want := e.expectation(r.names)
	if want.Service != "" && o.Served != nil && o.Served.Pod != "" {
		services, err := r.servicesOf(ctx, o.Served.Pod)
		if err != nil {
			return look{err: err}
		}
		o.Served.Services = services
	}
	return look{mismatches: probe.Compare(want, o), observed: &o}
}

func (e Expect) request(names isolation) probe.Request {
	r := probe.Request{Method: e.Method, URL: names.url(e.URL), Body: names.text(e.Send), Follow: e.Follow, Header: http.Header{}}
	for name, value := range e.Header {
		r.Header.Set(name, names.text(value))
	}
	return r
}

// host is the host that the ingress sees, without a port; empty if there is none.
func (e Expect) host(names isolation) string {
	u, err := url.Parse(names.url(e.URL))
	if err != nil {
		return ""
	}
	host := u.Hostname()
	for name, value := range e.Header {
		if strings.EqualFold(name, "Host") {
			host, _, _ = strings.Cut(names.text(value), ":")
		}
	}
	return host
}

func (e Expect) expectation(names isolation) probe.Expectation {
	want := probe.Expectation{Status: e.Status, Service: e.Service, App: e.App, Pod: e.Pod, Header: map[string]string{}}
	if e.Service != "" || e.App != "" || e.Pod != "" {
		want.Namespace = names.namespace
	}
	for name, value := range e.ResponseHeader {
		want.Header[name] = names.text(value)
	}
	for _, text := range e.Contains {
		want.Contains = append(want.Contains, names.text(text))
	}
	return want
}

// servicesOf returns the Services that have the pod as an endpoint. The answer says which pod it comes from; the cluster
// knows which Services that makes, whatever controller is under test.
func (r *runner) servicesOf(ctx context.Context, pod string) ([]string, error) {
	slices, err := r.env.Kube.Clientset().DiscoveryV1().EndpointSlices(r.names.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var services []string
	seen := map[string]bool{}
	for _, slice := range slices.Items {
		service := slice.Labels[discoveryv1.LabelServiceName]
		for _, endpoint := range slice.Endpoints {
			if ref := endpoint.TargetRef; ref != nil && ref.Name == pod && service != "" && !seen[service] {
				seen[service] = true
				services = append(services, service)
			}
		}
	}
	return services, nil
}
