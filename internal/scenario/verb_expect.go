package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Expect is one request and the expected response.
type Expect struct {
	// An absolute http or https URL. Hosts under .test get the run's name: shop.test becomes
	// shop.RUN.test, in this URL and in the Ingresses.
	URL string `yaml:"url" jsonschema:"required,pattern=^https?://"`
	// The request's method, GET if not given.
	Method string `yaml:"method,omitempty"`
	// The request's headers.
	Header map[string]string `yaml:"header,omitempty"`
	// The request's body.
	Body string `yaml:"body,omitempty"`
	// Name of a session. Steps with the same session share cookies, as in a browser.
	Session string `yaml:"session,omitempty"`
	// Name of a running pod with the net-test program that sends the request, instead of this
	// machine. In a pod, the names of Services resolve.
	From string `yaml:"from,omitempty"`
	// Where to connect to, instead of the URL's host: pod/NAME:PORT, service/NAME:PORT,
	// node/NAME:PORT, node:PORT (each node in turn), controller:PORT (each pod of the controller).
	// Needs from.
	ConnectTo string `yaml:"connectTo,omitempty"`
	// Name of a client. The request presents the client's certificate, which an earlier step
	// created.
	ClientCertificate string `yaml:"clientCertificate,omitempty"`
	// Follow redirects, and check the last response.
	Follow bool `yaml:"follow,omitempty"`
	// The status of the response.
	Status int `yaml:"status,omitempty" jsonschema:"minimum=100,maximum=599"`
	// The headers of the response: * in a value matches any text; an empty value means that the
	// header is absent.
	ResponseHeader map[string]string `yaml:"responseHeader,omitempty"`
	// Texts in the body of the response.
	Contains Strings `yaml:"contains,omitempty"`
	// Name of a Service that has the responding pod as an endpoint.
	Service string `yaml:"service,omitempty"`
	// Name of the responding demo application, such as cheddar.
	App string `yaml:"app,omitempty"`
	// Name of the responding pod.
	Pod string `yaml:"pod,omitempty"`
	// Whether the pod has to be the one of the session's last step, or a different one.
	SamePod *bool `yaml:"samePod,omitempty"`
	// The longest time to the response.
	Latency Duration `yaml:"latency,omitempty"`
	// The server certificate of the TLS handshake.
	Certificate *ShownCertificate `yaml:"certificate,omitempty"`
	// The request that a demo workload received, for requests to /echo.
	Received *Received `yaml:"received,omitempty"`
	// How long the response can take to become as expected; 30s if not given.
	Within Duration `yaml:"within,omitempty"`
}

// ShownCertificate is the expected certificate of a TLS handshake. At least one field is given.
type ShownCertificate struct {
	// Name of the Secret with the certificate.
	Secret string `yaml:"secret,omitempty"`
	// All DNS names in the certificate, in any order.
	Names Strings `yaml:"names,omitempty"`
}

// Received is the request that a workload has to receive.
type Received struct {
	// The request's method.
	Method string `yaml:"method,omitempty"`
	// The path in the request line, as received: neither decoded nor cleaned.
	Path string `yaml:"path,omitempty"`
	// The text after the first question mark.
	Query string `yaml:"query,omitempty"`
	// The Host header.
	Host string `yaml:"host,omitempty"`
	// HTTP/1.1 or HTTP/2.0.
	Protocol string `yaml:"protocol,omitempty"`
	// Whether the request came over TLS.
	TLS *bool `yaml:"tls,omitempty"`
	// The request's body.
	Body string `yaml:"body,omitempty"`
	// Headers: * in a value matches any text; an empty value means that the header is absent.
	Header map[string]string `yaml:"header,omitempty"`
}

func (e Expect) validate(c *checker, path string) {
	e.validateRequest(c, path)
	e.validateFrom(c, path)
	for name := range e.ResponseHeader {
		if !httpguts.ValidHeaderFieldName(name) {
			c.fault(path+".responseHeader."+name, "%q is not the name of an HTTP header", name)
		}
	}
	if e.Status != 0 && (e.Status < 100 || e.Status > 599) {
		c.fault(path+".status", "%d is not an HTTP status (100 to 599)", e.Status)
	}
	if e.expectsNothing() {
		c.fault(path, "needs an expectation: status, responseHeader, contains, service, app, pod, samePod, latency, certificate or received")
	}
	if e.SamePod != nil && e.Session == "" {
		c.fault(path+".samePod", "needs session: samePod compares with the last response in the session")
	}
	if shown := e.Certificate; shown != nil {
		if shown.Secret == "" && len(shown.Names) == 0 {
			c.fault(path+".certificate", "needs secret or names")
		}
		e.needsTLS(c, path+".certificate")
	}
	if e.ClientCertificate != "" {
		e.needsTLS(c, path+".clientCertificate")
		if !slices.Contains(c.clients, e.ClientCertificate) {
			c.add(path+".clientCertificate", strictyaml.Nearest(e.ClientCertificate, c.clients),
				"no earlier step creates a certificate for client %q", e.ClientCertificate)
		}
	}
}

func (e Expect) expectsNothing() bool {
	return e.Status == 0 && len(e.ResponseHeader) == 0 && len(e.Contains) == 0 && e.Service == "" && e.App == "" && e.Pod == "" &&
		e.SamePod == nil && e.Latency == 0 && e.Certificate == nil && e.Received == nil
}

// needsTLS reports an error if the URL does not use TLS, which a field requires.
func (e Expect) needsTLS(c *checker, path string) {
	if u, err := url.Parse(e.URL); err == nil && u.Scheme == "http" && !e.Follow {
		c.fault(path, "needs an https URL: only TLS has certificates")
	}
}

// validateFrom validates the source and the destination of the request.
func (e Expect) validateFrom(c *checker, path string) {
	if e.ConnectTo != "" {
		if _, err := parseDestination(e.ConnectTo); err != nil {
			c.fault(path+".connectTo", "%q: %v", e.ConnectTo, err)
		}
		if e.From == "" {
			c.fault(path+".connectTo", "needs from: from this machine, requests go only to the ingress")
		}
	}
	if e.From != "" && e.ClientCertificate != "" {
		c.fault(path+".clientCertificate", "cannot be combined with from")
	}
}

func (Expect) validateInCheck(*checker, string) {}

func (e Expect) traits() traits {
	return traits{request: &e, session: e.Session, pod: fieldRef{"from", e.From}}
}

func (e Expect) describe(names isolation) string {
	return e.describeRequest(names) + " answers " + strings.Join(e.expected(names), ", ")
}

func (e Expect) expected(names isolation) []string {
	var parts []string
	if e.Status != 0 {
		parts = append(parts, fmt.Sprint(e.Status))
	}
	for _, who := range []struct{ what, name string }{{"service", e.Service}, {"app", e.App}, {"pod", e.Pod}} {
		if who.name != "" {
			parts = append(parts, who.what+" "+who.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.ResponseHeader)) {
		if value := e.ResponseHeader[name]; value != "" {
			parts = append(parts, fmt.Sprintf("%s: %s", name, names.text(value)))
		} else {
			parts = append(parts, "no "+name)
		}
	}
	for _, text := range e.Contains {
		parts = append(parts, fmt.Sprintf("%q in the body", names.text(text)))
	}
	if e.Latency > 0 {
		parts = append(parts, "within "+time.Duration(e.Latency).String())
	}
	if e.SamePod != nil {
		parts = append(parts, map[bool]string{true: "the same pod", false: "another pod"}[*e.SamePod])
	}
	if c := e.Certificate; c != nil && c.Secret != "" {
		parts = append(parts, "the certificate of secret "+c.Secret)
	}
	if c := e.Certificate; c != nil && len(c.Names) > 0 {
		parts = append(parts, "a certificate for "+strings.Join(names.texts(c.Names), ", "))
	}
	if e.Received != nil {
		parts = append(parts, "received "+e.Received.describe(names))
	}
	return parts
}

func (a Received) describe(names isolation) string {
	var parts []string
	for _, field := range []struct{ name, value string }{
		{"as", a.Method}, {"at", a.Path}, {"with query", a.Query}, {"for", names.text(a.Host)}, {"by", a.Protocol}, {"with body", a.Body},
	} {
		if field.value != "" {
			parts = append(parts, field.name+" "+field.value)
		}
	}
	if a.TLS != nil {
		parts = append(parts, map[bool]string{true: "over TLS", false: "without TLS"}[*a.TLS])
	}
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		if value := a.Header[name]; value != "" {
			parts = append(parts, fmt.Sprintf("with %s: %s", name, names.text(value)))
		} else {
			parts = append(parts, "without "+name)
		}
	}
	return strings.Join(parts, ", ")
}

// streak is 1 for a request from a pod, which is sent steady times in one poll.
func (e Expect) streak() int { return steady / e.times() }

// times is how often one poll sends the request. Starting a program in a pod takes as long as a
// hundred requests, so one start of the program sends all requests of a poll.
func (e Expect) times() int {
	if e.From != "" {
		return steady
	}
	return 1
}

// run polls until the response is as expected. If there is no response, the scenario fails, because
// the ingress is responsible, not the lab.
func (e Expect) run(ctx context.Context, r *runner, report *StepReport) error { //nolint:unparam // the interface verb has the error
	p := r.polling(e.Within, expectWithin, e.streak(), report)
	c := converge(ctx, p, func(ctx context.Context) pollResult { return e.poll(ctx, r) })
	if err := report.settle(c, Failed); err != nil {
		report.Error = err.Error()
	}
	r.sessions[e.Session].remember(c.last.observed)
	return nil
}

func (e Expect) poll(ctx context.Context, r *runner) pollResult {
	return r.seeAnswer(ctx, e, e.times())
}

func (r *runner) seeAnswer(ctx context.Context, e Expect, times int) pollResult {
	request, err := r.request(e)
	if err != nil {
		return pollResult{err: err}
	}
	return r.seeAnswerTo(ctx, e, request, times)
}

// seeAnswerTo sends a request several times to each destination, and compares the responses up to
// the first unexpected one.
func (r *runner) seeAnswerTo(ctx context.Context, e Expect, request probe.Request, times int) pollResult {
	want, err := r.expectation(ctx, e)
	var noPair noPairError
	switch {
	case apierrors.IsNotFound(err), errors.As(err, &noPair):
		return differs("certificate", "that of secret "+e.Certificate.Secret, err.Error())
	case err != nil:
		return pollResult{err: err}
	}
	answers, err := r.answers(ctx, e, request, times)
	if err != nil {
		return pollResult{err: err}
	}
	var l pollResult
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

func (r *runner) compare(ctx context.Context, e Expect, want probe.Expectation, o probe.Observation) pollResult {
	var unanswered unansweredError
	switch {
	case errors.As(o.Err, &unanswered):
		return differs("answer", "one", unanswered.Error())
	case o.Err != nil:
		return pollResult{err: o.Err}
	}
	if want.Service != "" && o.Served != nil && o.Served.Pod != "" {
		services, err := r.servicesOf(ctx, o.Served.Pod)
		if err != nil {
			return pollResult{err: err}
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
	return pollResult{mismatches: mismatches, observed: &o}
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
		want.Received = e.Received.expectation(names)
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

func (a Received) expectation(names isolation) *probe.Received {
	want := &probe.Received{
		Method: a.Method, Path: a.Path, Query: a.Query, Host: names.text(a.Host), Protocol: a.Protocol, Body: names.text(a.Body),
		TLS: a.TLS, Header: map[string]string{},
	}
	for name, value := range a.Header {
		want.Header[name] = names.text(value)
	}
	return want
}

// servicesOf returns the Services that have the pod as an endpoint. It works with any controller.
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
