package fakecluster

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// The simulated ingress serves Ingresses of ourClass, which needs no IngressClass, and Ingresses
// whose IngressClass has ourController.
const (
	ourClass      = "ingresslab"
	ourController = "ingresslab.dev/ingress-controller"
)

const controllerNamespace = "ingresslab-system"

func controllerPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: controllerNamespace, Name: "ingress-controller-1", Labels: map[string]string{"app.kubernetes.io/name": "ingress-controller"},
		},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
}

// control sets the fields that Kubernetes' controllers and the ingress controller would set.
func (c *Cluster) control(object runtime.Object) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		o.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue}}
	case *corev1.Service:
		c.endpoints(o)
	case *corev1.Secret:
		// The API server converts stringData.
		for key, value := range o.StringData {
			if o.Data == nil {
				o.Data = map[string][]byte{}
			}
			o.Data[key] = []byte(value)
		}
		o.StringData = nil
	case *networkingv1.Ingress:
		if c.isOurs(o) {
			o.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: Address}}
		}
	}
}

// endpoints adds one endpoint to a Service: a pod with the name of the Service.
func (c *Cluster) endpoints(s *corev1.Service) {
	ready, port := true, int32(80)
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name + "-1",
			Labels: map[string]string{discoveryv1.LabelServiceName: s.Name}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: podOf(s.Name)},
		}},
		Ports: []discoveryv1.EndpointPort{{Port: &port}},
	}
	_ = c.store(slice, discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice"), s.Namespace) // the tracker accepts every EndpointSlice
}

func podOf(service string) string { return service + "-pod" }

func (c *Cluster) isOurs(i *networkingv1.Ingress) bool {
	if i.Spec.IngressClassName == nil {
		return false
	}
	class := c.objects["IngressClass /"+*i.Spec.IngressClassName]
	if class == nil {
		return *i.Spec.IngressClassName == ourClass
	}
	controller, _, _ := unstructured.NestedString(class.Object, "spec", "controller")
	return controller == ourController
}

// ServeHTTP responds like a demo workload behind the Service to which an Ingress routes the host.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	namespace, service := c.route(r.Host)
	if service == "" {
		w.Header().Set(probe.HeaderReason, "no rule for host "+r.Host)
		w.Header().Set("Server", "ingresslab")
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	}
	w.Header().Set(probe.HeaderServedBy, namespace+"/"+podOf(service))
	w.Header().Set(probe.HeaderApp, service)
	if strings.HasSuffix(r.URL.Path, ".svg") {
		w.Header().Set("Content-Type", "image/svg+xml")
	}
	_, _ = io.WriteString(w, fmt.Sprintf("<title>%s</title>", strings.ToUpper(service[:1])+service[1:]))
}

func (c *Cluster) route(host string) (namespace, service string) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.objects {
		var i networkingv1.Ingress
		if o.GetKind() != "Ingress" || runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &i) != nil || !c.isOurs(&i) {
			continue
		}
		for _, rule := range i.Spec.Rules {
			if strings.EqualFold(rule.Host, host) {
				return i.Namespace, rule.HTTP.Paths[0].Backend.Service.Name
			}
		}
	}
	return "", ""
}
