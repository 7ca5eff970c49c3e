package benchmark

import (
	"fmt"
	"time"
)

// The limits. A larger benchmark exceeds the memory of a machine.
const (
	maxIngresses = 50_000
	maxPods      = 100_000
	maxChurn     = 200
	maxDuration  = time.Hour
	minDuration  = time.Second
)

// Size is the size of a benchmark.
type Size struct {
	// Ingresses, 1 to 50,000, have one host each. Ingress i routes to Service i modulo Services.
	Ingresses int `json:"ingresses"`
	// Pods, 1 to 100,000, are spread evenly over the Services.
	Pods int `json:"pods"`
	// Services, 1 to Pods. 0 means one per Ingress, limited by Pods.
	Services int `json:"services"`
	// Churn is the number of pods to replace per second, 0 to 200.
	Churn float64 `json:"churn"`
	// Duration is the duration of the churn, from a second to an hour.
	Duration time.Duration `json:"-"`
}

// LimitError reports an invalid field of a Size.
type LimitError struct {
	// Flag is the field's command-line flag, such as "--pods".
	Flag string
	// Why completes "--pods: ".
	Why string
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
	// servicesOfANamespace limits the size of a namespace to a usual one.
	servicesOfANamespace = 500
	// podsOfANode limits the number of Leases to renew.
	podsOfANode = 500
)

// namespaces returns the number of namespaces.
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

// serviceOf returns the Service of an Ingress.
func (s Size) serviceOf(ingress int) int { return ingress % s.Services }

// place returns the Service, the ordinal, and the node of a pod.
func (s Size) place(pod int) (service, ordinal, node int) {
	return pod % s.Services, pod / s.Services, pod % s.nodes()
}

// podsOf returns the number of pods of a Service.
func (s Size) podsOf(service int) int { return (s.Pods - service + s.Services - 1) / s.Services }
