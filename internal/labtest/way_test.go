package labtest

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// objects reads manifests that are separated by lines of three dashes.
func objects(t *testing.T, manifests string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for text := range strings.SplitSeq(manifests, "---") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

const sceneBefore = `
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: lab-1, uid: a, resourceVersion: "5"},
  spec: {clusterIP: 10.0.0.7, clusterIPs: [10.0.0.7], ports: [{port: 80, nodePort: 30000}]}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: lab-1, labels: {a: b}},
  spec: {rules: [{host: web.localhost}]}, status: {loadBalancer: {}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: lab-1, annotations: {deployment.kubernetes.io/revision: "1"}},
  spec: {replicas: 1, template: {spec: {a: b}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: old, namespace: lab-1, annotations: {deployment.kubernetes.io/revision: "2"}},
  spec: {replicas: 1, template: {spec: {a: b}}}}
`

// TestWayBack has a student change, remove and add things.
func TestWayBack(t *testing.T) {
	t.Parallel()
	const (
		service = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: lab-1, uid: z},
  spec: {clusterIP: 10.0.0.9, ports: [{port: 80, nodePort: 30000}]}}`
		ingress = `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: lab-1, labels: {a: b}},
  spec: {rules: [{host: web.localhost}]}}`
		otherHost = `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: lab-1, labels: {a: b}},
  spec: {rules: [{host: other}]}}`
		deployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: lab-1},
  spec: {replicas: 1, template: {spec: {a: b}}}}`
		scaled = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: lab-1},
  spec: {replicas: 2, template: {spec: {a: b}}}}`
		otherPods = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: lab-1},
  spec: {replicas: 2, template: {spec: {a: c}}}}`
		old = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: old, namespace: lab-1},
  spec: {replicas: 1, template: {spec: {a: b}}}}`
		oldScaled = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: old, namespace: lab-1},
  spec: {replicas: 0, template: {spec: {a: b}}}}`
		oldOther = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: old, namespace: lab-1},
  spec: {replicas: 1, template: {spec: {a: c}}}}`
		secret   = `{apiVersion: v1, kind: Secret, metadata: {name: added, namespace: lab-1}}`
		settings = `{apiVersion: v1, kind: ConfigMap, metadata: {name: ingresslab-controller, namespace: ingresslab-system}, data: {a: b}}`
	)
	for name, c := range map[string]struct {
		now             []string
		remove, restore string
		isPossible      bool
	}{
		"nothing has changed": {[]string{service, ingress, deployment, old}, "", "", true},
		"changed, removed, added": {[]string{otherHost, deployment, old, secret}, "ingress/web secret/added",
			"service/web ingress/web", true},
		"pods have changed":                {[]string{service, ingress, otherPods, old}, "deployment/web", "deployment/web", true},
		"there are more pods":              {[]string{service, ingress, scaled, old}, "", "deployment/web", true},
		"pods are gone":                    {[]string{service, ingress, old}, "", "deployment/web", true},
		"pods with a history are fewer":    {[]string{service, ingress, deployment, oldScaled}, "", "deployment/old", true},
		"pods with a history have changed": {[]string{service, ingress, deployment, oldOther}, "", "", false},
		"pods with a history are gone":     {[]string{service, ingress, deployment}, "", "", false},
		"the controller is configured":     {[]string{service, ingress, deployment, old, settings}, "", "", false},
	} {
		remove, restore, isPossible := wayBack(objects(t, sceneBefore), objects(t, strings.Join(c.now, "\n---\n")))
		if !isPossible {
			remove, restore = nil, nil // which means nothing
		}
		if isPossible != c.isPossible || names(remove) != c.remove || names(restore) != c.restore {
			t.Errorf("%s: remove %q, restore %q, %t; want %q, %q, %t", name, names(remove), names(restore), isPossible, c.remove, c.restore,
				c.isPossible)
		}
	}
}

func names(objects []*unstructured.Unstructured) string {
	var all []string
	for _, o := range objects {
		all = append(all, name(o))
	}
	return strings.Join(all, " ")
}

// TestRecreatableOmitsServerFields keeps what a person has written, and nothing that the server
// would refuse or choose itself.
func TestRecreatableOmitsServerFields(t *testing.T) {
	t.Parallel()
	before := objects(t, sceneBefore)
	service := recreatable(before[0])
	if service.GetUID() != "" || service.GetResourceVersion() != "" || service.GetName() != "web" || service.GetNamespace() != "lab-1" {
		t.Errorf("metadata is %v", service.Object["metadata"])
	}
	spec := service.Object["spec"].(map[string]any)
	if spec["clusterIP"] != nil || spec["clusterIPs"] != nil || len(spec["ports"].([]any)) != 1 {
		t.Errorf("spec is %v", spec)
	}
	deployment := recreatable(objects(t,
		`{kind: Deployment, metadata: {name: web, annotations: {deployment.kubernetes.io/revision: "3", mine: x}}}`)[0])
	if got := deployment.GetAnnotations(); len(got) != 1 || got["mine"] != "x" {
		t.Errorf("the annotations are %v", got)
	}
	pod := recreatable(objects(t, `{kind: Pod, metadata: {name: web}, spec: {nodeName: a, containers: []}}`)[0])
	if node, found, _ := unstructured.NestedString(pod.Object, "spec", "nodeName"); found {
		t.Errorf("the pod has to be on node %s again", node)
	}
	if ingress := recreatable(before[1]); ingress.Object["status"] != nil || ingress.GetLabels()["a"] != "b" {
		t.Errorf("the Ingress is %v", ingress.Object)
	}
	if address, _, _ := unstructured.NestedString(before[0].Object, "spec", "clusterIP"); address != "10.0.0.7" {
		t.Error("the object itself has changed")
	}
}
