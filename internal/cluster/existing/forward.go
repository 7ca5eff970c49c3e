package existing

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

const (
	// controllerPods selects the controller by the labels of its manifests.
	controllerPods = "app.kubernetes.io/part-of=ingresslab,app.kubernetes.io/component=controller"
	// retryDelay is the pause before the next pod.
	retryDelay = 200 * time.Millisecond
)

// containerPorts are the controller's ports, in the order of a Spec.
var containerPorts = [3]int{80, 443, 18080}

// OpenPorts forwards ports to a controller pod through the API server, like kubectl port-forward.
// If the pod goes away, it switches to another one.
func (p *provider) OpenPorts(ctx context.Context, c *cluster.Cluster, progress cluster.Progress) error {
	rec, err := p.load(c.Name)
	if err != nil {
		return err
	}
	c.Addresses = rec.Addresses
	if c.Addresses.HTTP != "" && c.Addresses.HTTPS != "" && c.Addresses.Status != "" {
		return nil
	}
	ports, err := choosePorts(ctx, rec.Ports, progress)
	if err != nil {
		return err
	}
	c.Forward = forwardCommand(ports) // the command must open the same ports
	k, err := kube.New(c.Config)
	if err != nil {
		return err
	}
	f := &forwarder{config: c.Config, kube: k, ports: ports}
	first := make(chan error, 1)
	go f.run(ctx, first)
	if err := <-first; err != nil {
		return fmt.Errorf("forward ports to the controller: %w", err)
	}
	for i, address := range []*string{&c.Addresses.HTTP, &c.Addresses.HTTPS, &c.Addresses.Status} {
		if *address == "" {
			*address = fmt.Sprintf("%s:%d", cluster.Loopback, ports[i])
		}
	}
	return nil
}

// forwardCommand returns the command that forwards the same ports for longer than a command runs.
func forwardCommand(ports [3]int) string {
	command := "kubectl -n ingresslab-system port-forward deployment/ingress-controller"
	for i, port := range ports {
		command += fmt.Sprintf(" %d:%d", port, containerPorts[i])
	}
	return command
}

func portSpec(requests [3]int) cluster.Spec {
	return cluster.Spec{HTTPPort: requests[0], HTTPSPort: requests[1], StatusPort: requests[2]}
}

// expectedPorts returns the ports if all are free, and the default in place of AnyPort.
func expectedPorts(requests [3]int) (ports [3]int) {
	for i, r := range portSpec(requests).Ports() {
		if ports[i] = r.Port; r.Port <= 0 {
			ports[i] = r.Default
		}
	}
	return ports
}

// choosePorts returns free ports. It replaces only a default port that is in use.
func choosePorts(ctx context.Context, requests [3]int, progress cluster.Progress) ([3]int, error) {
	ports, open, err := cluster.PortOpener{Fallback: true, Progress: progress}.Open(ctx, portSpec(requests))
	open.Close()
	return ports, err
}

// forwarder forwards ports to a ready controller pod.
type forwarder struct {
	config *rest.Config
	kube   *kube.Client
	ports  [3]int
}

// run forwards until ctx ends. It sends the result of the first attempt.
func (f *forwarder) run(ctx context.Context, first chan<- error) {
	report := func(err error) {
		select {
		case first <- err:
		default: // the result was sent before
		}
	}
	for {
		pod, err := f.kube.ReadyPod(ctx, controllerPods)
		if err == nil {
			err = f.forward(ctx, pod, func() { report(nil) })
		}
		report(err)
		select {
		case <-time.After(retryDelay):
		case <-ctx.Done():
			return
		}
	}
}

// forward forwards ports to one pod until it goes away or ctx ends.
func (f *forwarder) forward(ctx context.Context, pod *corev1.Pod, opened func()) error {
	transport, upgrader, err := spdy.RoundTripperFor(f.config)
	if err != nil {
		return err
	}
	url := f.kube.Clientset().CoreV1().RESTClient().Post().Resource("pods").
		Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	var pairs []string
	for i, port := range f.ports {
		pairs = append(pairs, fmt.Sprintf("%d:%d", port, containerPorts[i]))
	}
	ready := make(chan struct{})
	pf, err := portforward.NewOnAddresses(dialer, []string{cluster.Loopback}, pairs, ctx.Done(), ready, io.Discard, io.Discard)
	if err != nil {
		return err
	}
	go func() {
		select {
		case <-ready:
			opened()
		case <-ctx.Done():
		}
	}()
	return pf.ForwardPorts()
}
