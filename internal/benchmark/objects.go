package benchmark

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/virtual"
)

// Label marks the objects of a benchmark; its value is "true".
const Label = "ingresslab.dev/simulate"

const (
	labelService = "ingresslab.dev/simulate-service"
	ingressClass = "ingresslab"
	portName     = "http"
)

// selector selects the objects of a benchmark.
const selector = Label + "=true"

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{Label: "true"}}
}

func newNamespace(n int) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: meta("", namespaceName(n))}
}

// newNode returns a virtual node. Its taint repels pods that do not tolerate it.
func newNode(n int) *corev1.Node {
	node := &corev1.Node{ObjectMeta: meta("", nodeName(n))}
	node.Labels[virtual.Label] = "true"
	node.Spec.Taints = []corev1.Taint{{Key: virtual.Label, Value: "true", Effect: corev1.TaintEffectNoSchedule}}
	return node
}

// newService returns a headless Service. The controller connects to endpoints, so a cluster IP would only cost resources.
func newService(service int) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: meta(namespaceOf(service), serviceName(service)),
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Selector:  map[string]string{labelService: serviceName(service)},
			Ports:     []corev1.ServicePort{{Name: portName, Port: 80, TargetPort: intstr.FromString(portName)}},
		},
	}
}

func (s Size) newIngress(ingress int) *networkingv1.Ingress {
	service, class, prefix := s.serviceOf(ingress), ingressClass, networkingv1.PathTypePrefix
	return &networkingv1.Ingress{
		ObjectMeta: meta(namespaceOf(service), ingressName(ingress)),
		Spec: networkingv1.IngressSpec{
			IngressClassName: &class,
			Rules: []networkingv1.IngressRule{{
				Host: hostOf(ingress),
				IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
					Paths: []networkingv1.HTTPIngressPath{{
						Path: "/", PathType: &prefix,
						Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
							Name: serviceName(service), Port: networkingv1.ServiceBackendPort{Name: portName},
						}},
					}},
				}},
			}},
		},
	}
}

// newPod returns a pod that is bound to a node. The scheduler would take minutes for tens of thousands of pods.
func newPod(service, ordinal, node int) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: meta(namespaceOf(service), podName(service, ordinal)),
		Spec: corev1.PodSpec{
			NodeName:                     nodeName(node),
			AutomountServiceAccountToken: new(bool),
			EnableServiceLinks:           new(bool),
			Containers: []corev1.Container{{
				Name: "web", Image: "virtual", Ports: []corev1.ContainerPort{{Name: portName, ContainerPort: virtual.Port}},
			}},
		},
	}
	pod.Labels[labelService] = serviceName(service)
	return pod
}
