package benchmark

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/virtual"
)

// The limits of a Size. A larger benchmark would exceed the memory of a machine.
const (
	maxIngresses = 50_000
	maxPods      = 100_000
	maxChurn     = 200
	maxDuration  = time.Hour
	minDuration  = time.Second
)

// Size is the size of a benchmark.
type Size struct {
	// Ingresses is 1 to 50,000. Each Ingress has one host. Ingress i routes to Service i modulo Services.
	Ingresses int           `json:"ingresses"`
	Pods      int           `json:"pods"`     // 1 to 100,000, spread evenly over the Services
	Services  int           `json:"services"` // 1 to Pods; 0 means one per Ingress, limited by Pods
	Churn     float64       `json:"churn"`    // pods to replace per second, 0 to 200
	Duration  time.Duration `json:"-"`        // of the churn, from a second to an hour
}

// LimitError reports an invalid field of a Size.
type LimitError struct {
	Flag string // the field's command-line flag, such as "--pods"
	Why  string // completes "--pods: "
}

func (e *LimitError) Error() string { return e.Flag + ": " + e.Why }

// Check sets the default of Services, and returns a *LimitError for an invalid field.
func (s *Size) Check() error {
	if s.Services == 0 {
		s.Services = max(1, min(s.Ingresses, s.Pods))
	}
	for _, limit := range []struct {
		flag       string
		value, max int
	}{{"--ingresses", s.Ingresses, maxIngresses}, {"--pods", s.Pods, maxPods}, {"--services", s.Services, maxIngresses}} {
		if limit.value < 1 || limit.value > limit.max {
			return &LimitError{limit.flag, fmt.Sprintf("%d is not between 1 and %d", limit.value, limit.max)}
		}
	}
	switch {
	case s.Services > s.Pods:
		return &LimitError{"--services", fmt.Sprintf("%d Services need at least as many pods, got %d", s.Services, s.Pods)}
	case s.Churn < 0 || s.Churn > maxChurn:
		return &LimitError{"--churn", fmt.Sprintf("%g is not between 0 and %d pods a second", s.Churn, maxChurn)}
	case s.Duration < minDuration || s.Duration > maxDuration:
		return &LimitError{"--duration", fmt.Sprintf("%s is not between %s and %s", s.Duration, minDuration, maxDuration)}
	}
	return nil
}

const (
	servicesOfANamespace = 500 // a usual size
	podsOfANode          = 500 // limits the number of Leases to renew
)

func (s Size) namespaces() int { return (s.Services + servicesOfANamespace - 1) / servicesOfANamespace }

// nodes returns the number of virtual nodes, with room for pods that overlap during a replacement.
func (s Size) nodes() int { return s.Pods/podsOfANode + 1 }

func namespaceName(n int) string     { return fmt.Sprintf("simulate-%03d", n) }
func namespaceOf(service int) string { return namespaceName(service / servicesOfANamespace) }
func serviceName(service int) string { return fmt.Sprintf("s-%05d", service) }
func ingressName(ingress int) string { return fmt.Sprintf("i-%05d", ingress) }
func nodeName(node int) string       { return fmt.Sprintf("virtual-%03d", node) }

// hostOf returns a host under .test, which is reserved for tests (RFC 6761 section 6.2).
func hostOf(ingress int) string { return ingressName(ingress) + ".simulate.test" }

// podName returns the name of a pod. ordinal counts all pods of the Service, including deleted ones.
func podName(service, ordinal int) string { return fmt.Sprintf("%s-%d", serviceName(service), ordinal) }

func (s Size) serviceOf(ingress int) int { return ingress % s.Services }

// place returns the Service, the ordinal, and the node of a pod.
func (s Size) place(pod int) (service, ordinal, node int) {
	return pod % s.Services, pod / s.Services, pod % s.nodes()
}

func (s Size) podsOf(service int) int { return (s.Pods - service + s.Services - 1) / s.Services }

// Label marks the objects of a benchmark; its value is "true".
const Label = "ingresslab.dev/simulate"

const (
	labelService = "ingresslab.dev/simulate-service"
	ingressClass = "ingresslab"
	portName     = "http"
	selector     = Label + "=true" // all objects of a benchmark
)

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
