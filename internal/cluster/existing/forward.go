package existing

import (
	"context"
	"fmt"
	"io"
	"net"
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
	// controllerPods finds the controller by the labels of its manifests.
	controllerPods = "app.kubernetes.io/part-of=ingresslab,app.kubernetes.io/component=controller"
	loopback       = "127.0.0.1"
	// againAfter is the pause before the next pod is tried.
	againAfter = 200 * time.Millisecond
)

// containerPorts are those of the controller, in the order of a Spec's.
var containerPorts = [3]int{80, 443, 18080}

// Reach implements cluster.Guest. Ports of this machine lead to a pod of the controller through the API server, which needs
// nothing but the right that kubectl port-forward needs; when the pod goes, to another one.
func (p *Provider) Reach(ctx context.Context, c *cluster.Cluster, progress cluster.Progress) (cluster.Addresses, error) {
	rec, err := p.known(c.Name)
	if err != nil {
		return cluster.Addresses{}, err
	}
	at := rec.Addresses
	if at.HTTP != "" && at.HTTPS != "" && at.Status != "" {
		return at, nil
	}
	ports, err := choosePorts(ctx, rec.Ports, progress)
	if err != nil {
		return at, err
	}
	c.Lent.Forward = forwardCommand(ports) // what is printed about the cluster names these ports, too
	k, err := client(c)
	if err != nil {
		return at, err
	}
	f := &forwarder{config: c.Config, kube: k, ports: ports}
	first := make(chan error, 1)
	go f.keep(ctx, first)
	if err := <-first; err != nil {
		return at, fmt.Errorf("forward ports to the controller: %w", err)
	}
	for i, address := range []*string{&at.HTTP, &at.HTTPS, &at.Status} {
		if *address == "" {
			*address = fmt.Sprintf("%s:%d", loopback, ports[i])
		}
	}
	return at, nil
}

// forwardCommand does by hand what Reach does, for who wants the ports open for longer than a command runs.
func forwardCommand(ports [3]int) string {
	command := "kubectl -n ingresslab-system port-forward deployment/ingress-controller"
	for i, port := range ports {
		command += fmt.Sprintf(" %d:%d", port, containerPorts[i])
	}
	return command
}

// usualPorts are those that wishes come to where nothing is in the way: free ones can only be known when they are open.
func usualPorts(wishes [3]int) (ports [3]int) {
	spec := cluster.Spec{HTTPPort: wishes[0], HTTPSPort: wishes[1], StatusPort: wishes[2]}
	for i, wish := range spec.Ports() {
		if ports[i] = wish.Want; wish.Want <= 0 {
			ports[i] = wish.Default
		}
	}
	return ports
}

// choosePorts turns wishes into ports that are free now. A default that is taken is replaced, a port that was named is not.
func choosePorts(ctx context.Context, wishes [3]int, progress cluster.Progress) (ports [3]int, err error) {
	spec := cluster.Spec{HTTPPort: wishes[0], HTTPSPort: wishes[1], StatusPort: wishes[2]}
	var listen net.ListenConfig
	for i, wish := range spec.Ports() {
		port := wish.Want
		switch wish.Want {
		case 0:
			port = wish.Default
		case cluster.AnyPort:
			port = 0
		}
		l, err := listen.Listen(ctx, "tcp4", fmt.Sprintf("%s:%d", loopback, port))
		if err != nil && wish.Want > 0 {
			return ports, &cluster.PortTakenError{Port: port, Flag: wish.Flag}
		}
		if err != nil {
			if l, err = listen.Listen(ctx, "tcp4", loopback+":0"); err != nil {
				return ports, fmt.Errorf("find a free port on %s: %w", loopback, err)
			}
			progress.Note(fmt.Sprintf("port %s:%d is taken, %s is used for it", loopback, port, l.Addr()))
		}
		defer func() { _ = l.Close() }() // nobody connected to it
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// forwarder keeps ports open to whichever pod of the controller is ready.
type forwarder struct {
	config *rest.Config
	kube   *kube.Client
	ports  [3]int
}

// keep forwards until ctx ends. It tells once how the first attempt went.
func (f *forwarder) keep(ctx context.Context, first chan<- error) {
	tell := func(err error) {
		select {
		case first <- err:
		default: // told already
		}
	}
	for {
		pod, err := f.kube.ReadyPod(ctx, controllerPods)
		if err == nil {
			err = f.forward(ctx, pod, func() { tell(nil) })
		}
		tell(err)
		select {
		case <-time.After(againAfter):
		case <-ctx.Done():
			return
		}
	}
}

// forward keeps ports open to one pod until it goes or ctx ends.
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
	pf, err := portforward.NewOnAddresses(dialer, []string{loopback}, pairs, ctx.Done(), ready, io.Discard, io.Discard)
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
