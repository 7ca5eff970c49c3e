package controller_test

import (
	"fmt"
	"strings"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// class is an IngressClass of a controller.
func class(name, controller string) *networkingv1.IngressClass {
	return &networkingv1.IngressClass{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       networkingv1.IngressClassSpec{Controller: controller},
	}
}

// ours is the IngressClass of the tested controller.
func ours() *networkingv1.IngressClass { return class("lab", "ingresslab.dev/ingress-controller") }

// ingress routes all paths of a host to port 80 of the Service with the name of the Ingress.
func ingress(name, className, host string) *networkingv1.Ingress {
	prefix := networkingv1.PathTypePrefix
	return &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)},
		Spec: networkingv1.IngressSpec{
			IngressClassName: &className,
			Rules: []networkingv1.IngressRule{{
				Host: host,
				IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
					Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{
						Service: &networkingv1.IngressServiceBackend{Name: name, Port: networkingv1.ServiceBackendPort{Number: 80}},
					}}},
				}},
			}},
		},
	}
}

func service(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.96.0.1", Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

// endpoints are ready pods of a Service, all on the port of the first address.
func endpoints(service string, addresses ...string) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	for _, address := range addresses {
		ip, portText, _ := strings.Cut(address, ":")
		if slice.Ports == nil {
			var port int32
			_, _ = fmt.Sscan(portText, &port)
			name := ""
			slice.Ports = []discoveryv1.EndpointPort{{Name: &name, Port: &port}}
		}
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{ip},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: service + "-" + ip},
		})
	}
	return slice
}

// controllerPod is a replica of the controller on a node.
func controllerPod(name, node string, ready bool) *corev1.Pod {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ingresslab-system", Name: name, Labels: map[string]string{
			"app": "controller", "pod-template-hash": "hash-of-" + name,
		}},
		Spec: corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}},
		},
	}
}

func node(name string, addresses ...corev1.NodeAddress) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Addresses: addresses}}
}

// The methods below change objects as a user or Kubernetes does.

func (l *lab) createIngress(ingress *networkingv1.Ingress) {
	l.t.Helper()
	_, err := l.client.NetworkingV1().Ingresses(ingress.Namespace).Create(l.t.Context(), ingress, metav1.CreateOptions{})
	l.Expect(err).NotTo(gomega.HaveOccurred())
}

func (l *lab) updateIngress(name string, change func(*networkingv1.Ingress)) {
	l.t.Helper()
	api := l.client.NetworkingV1().Ingresses("shop")
	ingress, err := api.Get(l.t.Context(), name, metav1.GetOptions{})
	l.Expect(err).NotTo(gomega.HaveOccurred())
	change(ingress)
	_, err = api.Update(l.t.Context(), ingress, metav1.UpdateOptions{})
	l.Expect(err).NotTo(gomega.HaveOccurred())
}

func (l *lab) deleteIngress(name string) {
	l.t.Helper()
	l.Expect(l.client.NetworkingV1().Ingresses("shop").Delete(l.t.Context(), name, metav1.DeleteOptions{})).To(gomega.Succeed())
}

func (l *lab) setEndpoints(service string, addresses ...string) {
	l.t.Helper()
	_, err := l.client.DiscoveryV1().EndpointSlices("shop").Update(l.t.Context(), endpoints(service, addresses...), metav1.UpdateOptions{})
	l.Expect(err).NotTo(gomega.HaveOccurred())
}

// addresses returns the addresses in the status of an Ingress: "192.0.2.1 192.0.2.2".
func (l *lab) addresses(name string) string {
	ingress, err := l.client.NetworkingV1().Ingresses("shop").Get(l.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, one := range ingress.Status.LoadBalancer.Ingress {
		all = append(all, one.IP+one.Hostname)
	}
	return strings.Join(all, " ")
}

// status is for Eventually.
func (l *lab) addressesOf(name string) func() string {
	return func() string { return l.addresses(name) }
}
