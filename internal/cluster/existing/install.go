package existing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// These are the label of every object in manifests/ and its value
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/).
const (
	ownerLabel = "app.kubernetes.io/part-of"
	owner      = "ingresslab"
)

// selectors match the objects that ingresslab creates: the installation, labs, and scenarios.
var selectors = []string{ownerLabel + "=" + owner, "ingresslab.dev/lab", "ingresslab.dev/run"}

// kinds are the cluster-scoped kinds that ingresslab creates.
var kinds = []struct{ apiVersion, kind string }{
	{"v1", "Namespace"},
	{"networking.k8s.io/v1", "IngressClass"},
	{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding"},
	{"rbac.authorization.k8s.io/v1", "ClusterRole"},
	{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"},
}

// ForeignError means that objects of other owners have names that ingresslab needs.
type ForeignError struct {
	Context string
	Objects []string // descriptions: "clusterrole ingresslab:ingress-controller"
}

func (e *ForeignError) Error() string {
	exist := "already exists"
	if len(e.Objects) > 1 {
		exist = "already exist"
	}
	return fmt.Sprintf("context %q: %s %s without label %s=%s; ingresslab does not overwrite it, so use another --context",
		e.Context, strings.Join(e.Objects, ", "), exist, ownerLabel, owner)
}

func (p *provider) CheckInstall(ctx context.Context, c *cluster.Cluster, objects []*unstructured.Unstructured) error {
	k, err := kube.New(c.Config)
	if err != nil {
		return err
	}
	rec, err := p.load(c.Name)
	if err != nil {
		return err
	}
	if err := refuseForeign(ctx, k, rec.Context, objects); err != nil {
		return err
	}
	if rec.Agreed || isLocal(rec.Server) {
		return nil
	}
	question, err := describeChanges(k, rec, objects)
	if err != nil {
		return err
	}
	if err := p.options.Confirm(ctx, question); err != nil {
		return err
	}
	rec.Agreed = true
	return p.store.Save(c.Name, rec)
}

// refuseForeign returns a *ForeignError if objects would overwrite an unlabeled object.
func refuseForeign(ctx context.Context, k *kube.Client, context string, objects []*unstructured.Unstructured) error {
	foreign := &ForeignError{Context: context}
	for _, o := range objects {
		current, err := k.Get(ctx, o)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return err
		case current.GetLabels()[ownerLabel] != owner:
			foreign.Objects = append(foreign.Objects, kube.Describe(o))
		}
	}
	if len(foreign.Objects) > 0 {
		return foreign
	}
	return nil
}

// describeChanges lists the objects that ingresslab would create, so that the user can confirm.
func describeChanges(k *kube.Client, rec *record, objects []*unstructured.Unstructured) (string, error) {
	var clusterScoped []string
	inNamespace := map[string]int{}
	for _, o := range objects {
		namespaced, err := k.Namespaced(o)
		if err != nil {
			return "", err
		}
		if namespaced {
			inNamespace[o.GetNamespace()]++
		} else {
			clusterScoped = append(clusterScoped, kube.Describe(o))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The API server of context %q is %s, which is not this machine. ingresslab creates there:\n", rec.Context, rec.Server)
	fmt.Fprintf(&b, "  for the whole cluster: %s\n", strings.Join(clusterScoped, ", "))
	for namespace, n := range inNamespace {
		fmt.Fprintf(&b, "  in namespace %s: %d objects, including the controller's pods\n", namespace, n)
	}
	fmt.Fprintf(&b, "  a namespace for each lab, and for each scenario while it runs\n")
	fmt.Fprintf(&b, "`ingresslab down` removes all of them. ingresslab changes no other object.")
	return b.String(), nil
}

// remove deletes all labeled objects and waits until the namespaces are gone, even after an error.
func remove(ctx context.Context, k *kube.Client) error {
	var errs []error
	var namespaces []string
	for _, selector := range selectors {
		for _, of := range kinds {
			list, err := k.List(ctx, of.apiVersion, of.kind, selector)
			if meta.IsNoMatchError(err) {
				continue
			}
			errs = append(errs, err)
			for i := range list {
				if of.kind == "Namespace" {
					namespaces = append(namespaces, list[i].GetName())
				}
				errs = append(errs, k.Delete(ctx, &list[i]))
			}
		}
	}
	for _, n := range namespaces {
		errs = append(errs, k.DeleteNamespace(ctx, n, true))
	}
	return errors.Join(errs...)
}

const (
	// controllerPods selects the controller by the labels of its manifests.
	controllerPods = "app.kubernetes.io/part-of=ingresslab,app.kubernetes.io/component=controller"
	retryDelay     = 200 * time.Millisecond // the pause before trying the next pod
)

// containerPorts are the controller's ports, in the order of a Spec.
var containerPorts = [3]int{80, 443, 18080}

// OpenPorts forwards ports through the API server. If the pod goes away, it uses a different one.
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
	c.Forward = forwardCommand(ports) // the command must open the ports that are open now
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

// forwardCommand returns a command for the user, which forwards the ports until it is stopped.
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

// expectedPorts returns the ports that will be used if all are free. AnyPort becomes the default.
func expectedPorts(requests [3]int) (ports [3]int) {
	for i, r := range portSpec(requests).Ports() {
		if ports[i] = r.Port; r.Port <= 0 {
			ports[i] = r.Default
		}
	}
	return ports
}

// choosePorts returns free ports. If a default port is in use, it takes a free port instead.
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

// run forwards ports until ctx ends. It sends the result of the first attempt to first.
func (f *forwarder) run(ctx context.Context, first chan<- error) {
	report := func(err error) {
		select {
		case first <- err:
		default: // an earlier attempt has sent a result
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
