package scenario

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// netTest is the program in the pods of the net-test image that sends a scenario's requests.
const netTest = "/workload"

// controllerPods selects the pods of the controller in its namespace.
const controllerPods = "app.kubernetes.io/name=ingress-controller"

// asker is who sends a request, and what to call the way that it takes.
type asker struct {
	Prober
	// way is "from pod net-test to node a (10.0.0.1:80)"; empty for the way from this machine.
	way string
}

// askers returns who asks: this machine, or a pod, once for each address that the request goes to.
func (r *runner) askers(ctx context.Context, e Expect) ([]asker, error) {
	if e.From == "" {
		return []asker{{Prober: r.env.HTTP}}, nil
	}
	pod, err := r.podOf(ctx, e.From, "")
	if err != nil {
		return nil, fmt.Errorf("from %s: %w", e.From, err)
	}
	via := podProber{kube: r.env.Kube, namespace: pod.Namespace, pod: pod.Name}
	if e.To == "" {
		return []asker{{Prober: via}}, nil
	}
	places, err := r.placesOf(ctx, e.To)
	if err != nil {
		return nil, fmt.Errorf("to %s: %w", e.To, err)
	}
	var all []asker
	for _, place := range places {
		via.address = place.address
		all = append(all, asker{Prober: via, way: place.name + " (" + place.address + ")"})
	}
	return all, nil
}

// podProber sends requests from a pod.
type podProber struct {
	kube           Kube
	namespace, pod string
	// address is where to connect to; empty if the URL says so.
	address string
}

// Do implements Prober.
func (p podProber) Do(ctx context.Context, r probe.Request) probe.Observation {
	o, err := p.do(ctx, r)
	if err != nil {
		return probe.Observation{Method: r.Method, URL: r.URL, Err: fmt.Errorf("from pod %s: %w", p.pod, err)}
	}
	return o
}

func (p podProber) do(ctx context.Context, r probe.Request) (probe.Observation, error) {
	request, err := probe.Encode(r, p.address)
	if err != nil {
		return probe.Observation{}, err
	}
	output, err := p.kube.Exec(ctx, kube.Command{Namespace: p.namespace, Pod: p.pod, Args: []string{netTest, "probe", request}})
	switch {
	case err != nil:
		return probe.Observation{}, err
	case output.ExitCode != 0:
		return probe.Observation{}, fmt.Errorf("%s probe exits with %d: %s; the pod has to have the image net-test:1.0 of this version",
			netTest, output.ExitCode, shown(slices.Concat(output.Stdout, output.Stderr)))
	}
	return probe.Decode(r, output.Stdout)
}

// place is an address with the name of what has it.
type place struct{ name, address string }

// destination is the parsed `to` of an Expect.
type destination struct {
	// kind is pod, service, node or controller; name is empty for every node, and for the controller.
	kind, name string
	port       int
}

// errDestination says how a destination is written.
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

// placesOf asks the API where a destination is.
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
		return nil, fmt.Errorf("there is no %s with an address", strings.TrimSuffix(d.kind+" "+d.name, " "))
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
