package kube

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Guest adapts objects to an existing cluster.
type Guest struct {
	// Images maps the image references of manifests to those that the nodes can pull. Other references stay unchanged.
	Images map[string]string
	// Classes maps the ingress classes of manifests to those of the lab, because the class nginx might have another controller.
	Classes map[string]string
}

// AsGuest returns a client that translates objects before it applies them, and rejects namespaces that ingresslab did not create.
func (c *Client) AsGuest(g Guest) *Client {
	guest := *c
	guest.guest = &g
	return &guest
}

// ForeignNamespaceError reports a namespace that ingresslab did not create.
type ForeignNamespaceError struct{ Name string }

func (e *ForeignNamespaceError) Error() string {
	return fmt.Sprintf("namespace %s exists, but ingresslab did not create it; use another cluster, or delete the namespace", e.Name)
}

// respect returns a *ForeignNamespaceError for a namespace without the labels of the lab.
func (g *Guest) respect(namespace *corev1.Namespace, labels map[string]string) error {
	if g == nil {
		return nil
	}
	for name := range labels {
		if _, ours := namespace.Labels[name]; ours {
			return nil
		}
	}
	return &ForeignNamespaceError{namespace.Name}
}

// translate returns the object with the images and classes of the existing cluster.
func (g *Guest) translate(o *unstructured.Unstructured) *unstructured.Unstructured {
	if g == nil {
		return o
	}
	o = o.DeepCopy()
	if o.GetKind() == "Ingress" {
		// The class is in the spec or, in the style of Kubernetes before 1.18, in an annotation.
		for _, path := range [][]string{{"spec", "ingressClassName"}, {"metadata", "annotations", "kubernetes.io/ingress.class"}} {
			class, _, _ := unstructured.NestedString(o.Object, path...)
			if ours, known := g.Classes[class]; known {
				_ = unstructured.SetNestedField(o.Object, ours, path...) // the path exists, so this cannot fail
			}
		}
		return o
	}
	for _, path := range [][]string{{"spec"}, {"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}} {
		for _, field := range []string{"containers", "initContainers"} {
			g.translateContainers(o, append(path[:len(path):len(path)], field)...)
		}
	}
	return o
}

func (g *Guest) translateContainers(o *unstructured.Unstructured, path ...string) {
	list, found, err := unstructured.NestedSlice(o.Object, path...)
	if err != nil || !found {
		return
	}
	for _, item := range list {
		container, ok := item.(map[string]any)
		if !ok {
			continue
		}
		name, _ := container["image"].(string)
		if ref, known := g.Images[strings.TrimPrefix(name, "docker.io/library/")]; known {
			container["image"] = ref
		}
	}
	_ = unstructured.SetNestedSlice(o.Object, list, path...) // the path exists
}

// Namespaced reports whether the kind is namespaced.
func (c *Client) Namespaced(o *unstructured.Unstructured) (bool, error) {
	gvk := o.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return false, fmt.Errorf("%s: %w", Describe(o), err)
	}
	return mapping.Scope.Name() == meta.RESTScopeNameNamespace, nil
}

// List returns the objects of a kind, of all namespaces, that match a label selector.
func (c *Client) List(ctx context.Context, apiVersion, kind, selector string) ([]unstructured.Unstructured, error) {
	gvk := schema.FromAPIVersionAndKind(apiVersion, kind)
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.ToLower(kind), err)
	}
	list, err := c.dynamic.Resource(mapping.Resource).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.ToLower(kind), err)
	}
	return list.Items, nil
}
