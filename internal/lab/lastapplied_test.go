package lab

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestLastAppliedAnnotation(t *testing.T) {
	l := &Lab{Name: "host-routing"}
	l.Namespace = "lab-1"
	manifest := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": "cheddar", "annotations": map[string]any{"a": "b"}},
		"spec":     map[string]any{"selector": map[string]any{"app": "cheddar"}},
	}}
	o := l.own([]*unstructured.Unstructured{manifest})[0]

	var noted unstructured.Unstructured
	if err := json.Unmarshal([]byte(o.GetAnnotations()["kubectl.kubernetes.io/last-applied-configuration"]), &noted.Object); err != nil {
		t.Fatal(err)
	}
	if noted.GetNamespace() != "lab-1" || noted.GetName() != "cheddar" || noted.GetAnnotations()["a"] != "b" {
		t.Errorf("the annotation is %v, want the manifest in the lab's namespace", noted.Object)
	}
	if _, found := noted.GetLabels()[Label]; found {
		t.Errorf("the annotation has the label %s, so kubectl apply would remove it", Label)
	}
	if o.GetAnnotations()["a"] != "b" || o.GetLabels()[Label] != "host-routing" {
		t.Errorf("annotations %v, labels %v", o.GetAnnotations(), o.GetLabels())
	}
	if len(manifest.GetAnnotations()) != 1 || manifest.GetNamespace() != "" {
		t.Errorf("the manifest changed: %v", manifest.Object)
	}
}
