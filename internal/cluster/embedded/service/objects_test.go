package service

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/yaml"
)

// catalog is a directory of parsed manifests.
type catalog struct {
	services map[key]*corev1.Service
	slices   map[key][]*discoveryv1.EndpointSlice
}

func (c catalog) service(k key) *corev1.Service               { return c.services[k] }
func (c catalog) slicesOf(k key) []*discoveryv1.EndpointSlice { return c.slices[k] }
func (c catalog) each(f func(*corev1.Service) bool) {
	for _, s := range c.services {
		if !f(s) {
			return
		}
	}
}

// manifests parses Services and EndpointSlices, separated by "---". A slice SERVICE--N belongs to
// SERVICE.
func manifests(t *testing.T, text string) catalog {
	t.Helper()
	c := catalog{map[key]*corev1.Service{}, map[key][]*discoveryv1.EndpointSlice{}}
	for document := range strings.SplitSeq(text, "\n---\n") {
		if strings.Contains(document, "kind: Service\n") {
			var s corev1.Service
			parse(t, document, &s)
			c.services[key{s.Namespace, s.Name}] = &s
			continue
		}
		var s discoveryv1.EndpointSlice
		parse(t, document, &s)
		owner, _, _ := strings.Cut(s.Name, "--")
		s.Labels = map[string]string{discoveryv1.LabelServiceName: owner}
		c.slices[serviceOf(&s)] = append(c.slices[serviceOf(&s)], &s)
	}
	return c
}

func parse(t *testing.T, document string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
		t.Fatalf("%v in\n%s", err, document)
	}
}
