package kube

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

const guestManifests = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      initContainers: [{name: first, image: "net-test:1.0"}]
      containers: [{name: web, image: "cheese:cheddar"}, {name: other, image: "busybox:1"}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, annotations: {kubernetes.io/ingress.class: nginx}}
spec: {ingressClassName: nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: other}
spec: {ingressClassName: somebodys}
`

func TestGuestTranslatesImagesAndClasses(t *testing.T) {
	g := &Guest{
		Images:  map[string]string{"cheese:cheddar": "reg/cheese:1", "net-test:1.0": "reg/net-test:1"},
		Classes: map[string]string{"nginx": "ingresslab"},
	}
	objects, err := Decode("guest.yaml", []byte(guestManifests))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},` +
			`"spec":{"template":{"spec":{"containers":[{"image":"reg/cheese:1","name":"web"},{"image":"busybox:1","name":"other"}],` +
			`"initContainers":[{"image":"reg/net-test:1","name":"first"}]}}}}`,
		`{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{` +
			`"annotations":{"kubernetes.io/ingress.class":"ingresslab"},"name":"web"},` +
			`"spec":{"ingressClassName":"ingresslab"}}`,
		`{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"other"},"spec":{"ingressClassName":"somebodys"}}`,
	}
	for i, o := range objects {
		before := o.DeepCopy()
		text, err := g.translate(o).MarshalJSON()
		if err != nil || string(text) != want[i]+"\n" {
			t.Errorf("%s became %s, %v\nwant %s", Describe(o), text, err, want[i])
		}
		if o.GetAnnotations()["kubernetes.io/ingress.class"] != before.GetAnnotations()["kubernetes.io/ingress.class"] {
			t.Errorf("%s itself was changed", Describe(o))
		}
	}
}

func TestGuestRejectsForeignNamespace(t *testing.T) {
	labels := map[string]string{"ingresslab.dev/lab": "host-routing"}
	c := NewFor(fake.NewClientset(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "lab-1"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "lab-2", Labels: labels}},
	), nil, nil)
	var foreign *ForeignNamespaceError
	if err := c.AsGuest(Guest{}).EnsureNamespace(t.Context(), "lab-1", labels); !errors.As(err, &foreign) {
		t.Errorf("foreign namespace: got %v", err)
	}
	for _, name := range []string{"lab-2", "lab-3"} {
		if err := c.AsGuest(Guest{}).EnsureNamespace(t.Context(), name, labels); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.EnsureNamespace(t.Context(), "lab-1", labels); err != nil {
		t.Errorf("in a cluster of the lab's own: %v", err)
	}
}
