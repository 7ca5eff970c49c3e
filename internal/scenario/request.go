package scenario

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// validateRequest validates the request, but not the expected response.
func (e Expect) validateRequest(c *checker, path string) {
	c.url(path+".url", e.URL)
	if e.Method != "" && (!httpguts.ValidHeaderFieldName(e.Method) || e.Method != strings.ToUpper(e.Method)) {
		c.fault(path+".method", "%q is not an HTTP method", e.Method)
	}
	if e.Method == http.MethodConnect {
		c.fault(path+".method", "CONNECT is not supported")
	}
	for name, value := range e.Header {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			c.fault(path+".header."+name, "%q: %q is not an HTTP header", name, value)
		}
	}
}

func (c *checker) url(path, raw string) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		c.fault(path, "is missing")
	case err != nil:
		c.fault(path, "%q is not a URL", raw)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		c.fault(path, "%q is not an absolute http or https URL", raw)
	case u.User != nil:
		c.fault(path, "must not contain a user; use an Authorization header")
	case u.Fragment != "":
		c.fault(path, "must not contain a fragment (#%s), which is never sent to a server", u.Fragment)
	case len(validation.IsDNS1123Subdomain(strings.ToLower(u.Hostname()))) > 0 && !strings.Contains(u.Hostname(), ":"):
		c.fault(path, "%q is not a host name", u.Hostname())
	}
}

func (e Expect) describeRequest(names isolation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", cmp.Or(e.Method, "GET"), names.url(e.URL))
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		fmt.Fprintf(&b, " with %s: %s", name, names.text(e.Header[name]))
	}
	if e.Session != "" {
		b.WriteString(" in session " + e.Session)
	}
	if e.From != "" {
		b.WriteString(" from " + e.From)
	}
	if e.ConnectTo != "" {
		b.WriteString(" to " + strings.Replace(e.ConnectTo, "node:", "every node:", 1))
	}
	if e.ClientCertificate != "" {
		b.WriteString(" by client " + e.ClientCertificate)
	}
	return b.String()
}

// request returns the request of an Expect, with the session's cookies and the client certificate.
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

// host returns the host that the ingress receives, without a port. It is empty if there is no host.
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

// Host returns the host that the ingress receives, without a port. It comes from the Host header if
// there is one, and otherwise from the URL.
func (e Expect) Host() string { return e.host(isolation{}) }

// session is the state that a browser keeps between requests.
type session struct {
	cookies http.CookieJar
	pod     string // pod is the pod that served the session's last step; empty before the first
}

// session returns the session with a name. It creates the session on first use.
func (r *runner) session(name string) (*session, error) {
	if s := r.sessions[name]; s != nil {
		return s, nil
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", name, err)
	}
	s := &session{cookies: jar}
	r.sessions[name] = s
	return s, nil
}

// samePod compares the responding pod with the session's last one. The first response can come from
// any pod.
func (s *session) samePod(want bool, o *probe.Observation) []probe.Mismatch {
	if o.Served == nil {
		return []probe.Mismatch{{Field: "answered by", Expected: "a pod", Observed: "no workload"}}
	}
	if s.pod == "" || want == (o.Served.Pod == s.pod) {
		return nil
	}
	expected := "pod " + s.pod + ", as before"
	if !want {
		expected = "a pod other than " + s.pod
	}
	return []probe.Mismatch{{Field: "session", Expected: expected, Observed: "pod " + o.Served.Pod}}
}

// remember records the responding pod for the session's next step.
func (s *session) remember(o *probe.Observation) {
	if s != nil && o != nil && o.Served != nil {
		s.pod = o.Served.Pod
	}
}

// netTest is the program in net-test pods that sends a scenario's requests.
const netTest = "/workload"

// controllerPods selects the controller's pods in its namespace.
const controllerPods = "app.kubernetes.io/name=ingress-controller"

// answer is a response from one destination.
type answer struct {
	probe.Observation
	// way is the destination, such as "node a (10.0.0.1:80)". It is empty if the URL alone
	// determines it.
	way string
}

// answers sends the request once from this machine, or several times from a pod to each
// destination.
func (r *runner) answers(ctx context.Context, e Expect, request probe.Request, times int) ([]answer, error) {
	if e.From == "" {
		return []answer{{Observation: r.env.HTTP.Do(ctx, request)}}, nil
	}
	pod, err := r.podOf(ctx, e.From, "")
	if err != nil {
		return nil, fmt.Errorf("from %s: %w", e.From, err)
	}
	places := []place{{}}
	if e.ConnectTo != "" {
		if places, err = r.placesOf(ctx, e.ConnectTo); err != nil {
			return nil, fmt.Errorf("to %s: %w", e.ConnectTo, err)
		}
	}
	places = slices.Repeat(places, times)
	var requests []string
	for _, p := range places {
		text, err := probe.Encode(request, p.address)
		if err != nil {
			return nil, fmt.Errorf("from pod %s: %w", pod.Name, err)
		}
		requests = append(requests, text)
	}
	observed, asked := r.askAgent(ctx, pod, request, requests)
	if !asked {
		observed, err = r.askProgram(ctx, pod, request, requests)
	}
	if err != nil {
		return nil, fmt.Errorf("from pod %s: %w", pod.Name, err)
	}
	all := make([]answer, len(observed))
	for i, p := range places[:len(observed)] {
		all[i].Observation = observed[i]
		if p.address != "" {
			all[i].way = p.name + " (" + p.address + ")"
		}
	}
	return all, nil
}

// askAgent sends requests through the agent in the pod (see probe.Agent), which takes milliseconds.
// It returns false if the pod has no agent.
func (r *runner) askAgent(ctx context.Context, pod *corev1.Pod, request probe.Request, requests []string) ([]probe.Observation, bool) {
	query := url.Values{probe.AgentRequest: requests}
	answer, err := r.env.Kube.PostPod(ctx, pod.Namespace, pod.Name, probe.AgentPort, probe.AgentPath, query)
	if err != nil || answer.Status != http.StatusOK {
		return nil, false
	}
	observed, err := observations(request, requests, answer.Body)
	return observed, err == nil
}

// askProgram runs the net-test program in the pod. It sends all requests with one start, because a
// start takes much longer than a request.
func (r *runner) askProgram(ctx context.Context, pod *corev1.Pod, request probe.Request, requests []string) ([]probe.Observation, error) {
	output, err := r.env.Kube.Exec(ctx, kube.Command{
		Namespace: pod.Namespace, Pod: pod.Name, Args: append([]string{netTest, "probe"}, requests...),
	})
	const same = "the pod needs the image net-test:1.0 of this version"
	switch {
	case err != nil:
		return nil, err
	case output.ExitCode != 0:
		return nil, fmt.Errorf("%s probe exits with %d: %s; %s", netTest, output.ExitCode, shown(slices.Concat(output.Stdout, output.Stderr)),
			same)
	}
	observed, err := observations(request, requests, output.Stdout)
	if err != nil {
		return nil, fmt.Errorf("%s probe: %w; %s", netTest, err, same)
	}
	return observed, nil
}

// observations parses the results of requests. Each line has one result. Only the last can be
// without a response.
func observations(request probe.Request, requests []string, text []byte) ([]probe.Observation, error) {
	var all []probe.Observation
	for line := range bytes.Lines(bytes.TrimSpace(text)) {
		o, err := probe.Decode(request, line)
		if err != nil {
			return nil, err
		}
		if o.Err != nil {
			o.Err = unansweredError{o.Err}
		}
		all = append(all, o)
	}
	n := len(all)
	if wasAnswered := n > 0 && all[n-1].Err == nil; n == 0 || n > len(requests) || wasAnswered && n < len(requests) {
		return nil, fmt.Errorf("the program received %d requests, but reported %d results", len(requests), n)
	}
	return all, nil
}

// unansweredError reports that a pod's request got no response. That is a failure of the scenario,
// not of the lab, because the student might control the destination.
type unansweredError struct{ error }

func (e unansweredError) Unwrap() error { return e.error }

// place is an address and its name in reports.
type place struct{ name, address string }

// destination is the parsed connectTo of an Expect.
type destination struct {
	// kind is pod, service, node, or controller. name is empty for all nodes, and for the
	// controller.
	kind, name string
	port       int
}

// errDestination reports the valid forms of a destination.
var errDestination = errors.New("is not pod/NAME:PORT, service/NAME:PORT, node/NAME:PORT, node:PORT or controller:PORT")

func parseDestination(text string) (destination, error) {
	what, number, found := strings.Cut(text, ":")
	kind, name, isNamed := strings.Cut(what, "/")
	port, err := strconv.Atoi(number)
	needsName := kind == "pod" || kind == "service"
	known := needsName || kind == "node" || kind == "controller"
	switch {
	case !found || err != nil || !known || isNamed && name == "" || needsName && !isNamed || kind == "controller" && isNamed:
		return destination{}, errDestination
	case port < 1 || port > 65535:
		return destination{}, fmt.Errorf("port %d is not between 1 and 65535", port)
	}
	return destination{kind: kind, name: name, port: port}, nil
}

func (r *runner) placesOf(ctx context.Context, to string) ([]place, error) {
	d, err := parseDestination(to)
	if err != nil {
		return nil, err
	}
	core := r.env.Kube.Clientset().CoreV1()
	var all []place
	add := func(name, ip string) {
		if ip != "" && ip != corev1.ClusterIPNone {
			all = append(all, place{name, net.JoinHostPort(ip, strconv.Itoa(d.port))})
		}
	}
	switch d.kind {
	case "pod":
		pod, err := core.Pods(r.names.namespace).Get(ctx, d.name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		add("pod "+pod.Name, pod.Status.PodIP)
	case "service":
		service, err := core.Services(r.names.namespace).Get(ctx, d.name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		add("service "+service.Name, service.Spec.ClusterIP)
	case "controller":
		pods, err := core.Pods(SystemNamespace).List(ctx, metav1.ListOptions{LabelSelector: controllerPods})
		if err != nil {
			return nil, err
		}
		for _, pod := range readyPods(pods.Items) {
			add("controller pod "+pod.Name, pod.Status.PodIP)
		}
	default:
		nodes, err := core.Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for _, node := range nodes.Items {
			if d.name == "" || d.name == node.Name {
				add("node "+node.Name, internalIP(node))
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no %s has an address", strings.TrimSuffix(d.kind+" "+d.name, " "))
	}
	return all, nil
}

func internalIP(node corev1.Node) string {
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}
