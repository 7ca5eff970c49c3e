package benchmark

import (
	"fmt"
	"time"
)

// The most of everything. Beyond it lies no answer, only a machine without memory.
const (
	maxIngresses = 50_000
	maxPods      = 100_000
	maxChurn     = 200
	maxDuration  = time.Hour
	minDuration  = time.Second
)

// Size is what a simulation is made of.
type Size struct {
	// Ingresses, 1 to 50,000, have one host each. Ingress number i leads to Service number i modulo Services.
	Ingresses int `json:"ingresses"`
	// Pods, 1 to 100,000, are spread evenly over the Services.
	Pods int `json:"pods"`
	// Services, 1 to Pods; 0 stands for one for each Ingress, as far as there are pods.
	Services int `json:"services"`
	// Churn is how many pods are replaced in a second, 0 to 200; 0 stands for none.
	Churn float64 `json:"churn"`
	// Duration is for how long, a second to an hour.
	Duration time.Duration `json:"-"`
}

// LimitError says which wish of a Size cannot be met.
type LimitError struct {
	// Flag is the command-line flag that says it, e.g. "--pods".
	Flag string
	// Why completes "--pods: ".
	Why string
}

func (e *LimitError) Error() string { return e.Flag + ": " + e.Why }

// Check fills in the number of Services and returns a *LimitError for what cannot be met.
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
		return &LimitError{"--services", fmt.Sprintf("%d Services need at least as many pods, and there are %d", s.Services, s.Pods)}
	case s.Churn < 0 || s.Churn > maxChurn:
		return &LimitError{"--churn", fmt.Sprintf("%g is not between 0 and %d pods a second", s.Churn, maxChurn)}
	case s.Duration < minDuration || s.Duration > maxDuration:
		return &LimitError{"--duration", fmt.Sprintf("%s is not between %s and %s", s.Duration, minDuration, maxDuration)}
	}
	return nil
}

const (
	// servicesOfANamespace keeps namespaces to a size that is still usual.
	servicesOfANamespace = 500
	// podsOfANode keeps the number of Leases that have to be renewed low.
	podsOfANode = 500
)

// namespaces is how many namespaces the Services are spread over.
func (s Size) namespaces() int { return (s.Services + servicesOfANamespace - 1) / servicesOfANamespace }

// nodes is how many virtual nodes there are: enough for all pods, and for those that overlap when they are replaced.
func (s Size) nodes() int { return s.Pods/podsOfANode + 1 }

func namespaceName(n int) string     { return fmt.Sprintf("simulate-%03d", n) }
func namespaceOf(service int) string { return namespaceName(service / servicesOfANamespace) }
func serviceName(service int) string { return fmt.Sprintf("s-%05d", service) }
func ingressName(ingress int) string { return fmt.Sprintf("i-%05d", ingress) }
func nodeName(node int) string       { return fmt.Sprintf("virtual-%03d", node) }

// hostOf is under .test, which is reserved for tests (RFC 6761 section 6.2).
func hostOf(ingress int) string { return ingressName(ingress) + ".simulate.test" }

// podName tells the Service, and which of its pods it is, counted from the first that ever was.
func podName(service, ordinal int) string { return fmt.Sprintf("%s-%d", serviceName(service), ordinal) }

// serviceOf is the Service that an Ingress leads to.
func (s Size) serviceOf(ingress int) int { return ingress % s.Services }

// place says which pod number pod is: of which Service, its how manieth, and on which node.
func (s Size) place(pod int) (service, ordinal, node int) {
	return pod % s.Services, pod / s.Services, pod % s.nodes()
}

// podsOf is how many pods a Service has.
func (s Size) podsOf(service int) int { return (s.Pods - service + s.Services - 1) / s.Services }
