package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// expect asks until the answer is as expected. That there is none at all is a failure like any other wrong answer: only
// the ingress is asked, not the lab.
func (r *runner) expect(ctx context.Context, e Expect, report *StepReport) {
	streak, times := e.looks()
	p := patience{within: r.within(e.Within, expectWithin), streak: streak, trial: r.try(Step{Expect: &e}, report)}
	c := converge(ctx, p, func(ctx context.Context) look { return r.seeAnswer(ctx, e, times) })
	if err := report.settle(c, Failed); err != nil {
		report.Error = err.Error()
	}
	if s := r.sessions[e.Session]; s != nil {
		s.remember(c.last.observed)
	}
}

// looks is how many looks in a row have to see the same, and how often each of them asks: in all, steady times. To start a program in a
// pod takes as long as a hundred requests, so one start sends them all.
func (e Expect) looks() (streak, times int) {
	if e.From != "" {
		return 1, steady
	}
	return steady, 1
}

func (r *runner) seeAnswer(ctx context.Context, e Expect, times int) look {
	request, err := r.request(e)
	if err != nil {
		return look{err: err}
	}
	return r.seeAnswerTo(ctx, e, request, times)
}

// seeAnswerTo sends a request so many times to each address that it goes to, and compares the answers. The first one that is not as
// expected ends it.
func (r *runner) seeAnswerTo(ctx context.Context, e Expect, request probe.Request, times int) look {
	want, err := r.expectation(ctx, e)
	var noPair noPairError
	switch {
	case apierrors.IsNotFound(err), errors.As(err, &noPair):
		return look{mismatches: []probe.Mismatch{{Field: "certificate", Expected: "that of secret " + e.Certificate.Secret, Observed: err.Error()}}}
	case err != nil:
		return look{err: err}
	}
	answers, err := r.answers(ctx, e, request, times)
	if err != nil {
		return look{err: err}
	}
	var l look
	for _, a := range answers {
		if l = r.compare(ctx, e, want, a.Observation); l.holds() {
			continue
		}
		for i := range l.mismatches {
			if a.way != "" {
				l.mismatches[i].Observed += " at " + a.way
			}
		}
		if l.err != nil && a.way != "" {
			l.err = fmt.Errorf("at %s: %w", a.way, l.err)
		}
		return l
	}
	return l
}

func (r *runner) compare(ctx context.Context, e Expect, want probe.Expectation, o probe.Observation) look {
	var unanswered unansweredError
	switch {
	case errors.As(o.Err, &unanswered):
		return look{mismatches: []probe.Mismatch{{Field: "answer", Expected: "one", Observed: unanswered.Error()}}}
	case o.Err != nil:
		return look{err: o.Err}
	}
	if want.Service != "" && o.Served != nil && o.Served.Pod != "" {
		services, err := r.servicesOf(ctx, o.Served.Pod)
		if err != nil {
			return look{err: err}
		}
		o.Served.Services = services
	}
	mismatches := probe.Compare(want, o)
	if e.SamePod != nil {
		mismatches = append(mismatches, r.sessions[e.Session].samePod(*e.SamePod, &o)...)
	}
	if most := time.Duration(e.Latency); most > 0 && o.Duration > most {
		mismatches = append(mismatches, probe.Mismatch{
			Field: "latency", Expected: "at most " + most.String(), Observed: o.Duration.Round(time.Millisecond).String(),
		})
	}
	return look{mismatches: mismatches, observed: &o}
}

// request is what an Expect asks, with the cookies of its session and the certificate of its client.
func (r *runner) request(e Expect) (probe.Request, error) {
	request := probe.Request{Method: e.Method, URL: r.names.url(e.URL), Body: r.names.text(e.Body), Follow: e.Follow, Header: http.Header{}}
	for name, value := range e.Header {
		request.Header.Set(name, r.names.text(value))
	}
	if e.Session != "" {
		s, err := r.session(e.Session)
		if err != nil {
			return probe.Request{}, err
		}
		request.Cookies = s.cookies
	}
	if e.ClientCertificate != "" {
		request.Certificate = r.clients[e.ClientCertificate]
	}
	return request, nil
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

func (r *runner) expectation(ctx context.Context, e Expect) (probe.Expectation, error) {
	names := r.names
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
	if e.Received != nil {
		want.Arrived = e.Received.expectation(names)
	}
	if e.Certificate == nil {
		return want, nil
	}
	want.Certificate = &probe.Certificate{Names: names.texts(e.Certificate.Names)}
	if e.Certificate.Secret == "" {
		return want, nil
	}
	fingerprint, err := r.fingerprint(ctx, e.Certificate.Secret)
	if err != nil {
		return want, fmt.Errorf("certificate of secret %s: %w", e.Certificate.Secret, err)
	}
	want.Certificate.Fingerprint, want.Certificate.Owner = fingerprint, "secret "+e.Certificate.Secret
	return want, nil
}

func (a Received) expectation(names isolation) *probe.Arrived {
	want := &probe.Arrived{
		Method: a.Method, Path: a.Path, Query: a.Query, Host: names.text(a.Host), Protocol: a.Protocol, Body: names.text(a.Body),
		TLS: a.TLS, Header: map[string]string{},
	}
	for name, value := range a.Header {
		want.Header[name] = names.text(value)
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
