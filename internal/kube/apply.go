package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// namespaceOf returns the namespace of an object. If the object specifies none, it is "default", as in kubectl.
func namespaceOf(o *unstructured.Unstructured) string {
	return cmp.Or(o.GetNamespace(), metav1.NamespaceDefault)
}

// Apply creates or changes the objects in order, by server-side apply. An unchanged object keeps its resource version. Apply takes
// over fields that have other owners. It continues after an error, and returns all errors with the names of their objects.
func (c *Client) Apply(ctx context.Context, objs ...*unstructured.Unstructured) error {
	var errs []error
	for _, o := range objs {
		if err := c.applyOne(ctx, o); err != nil {
			errs = append(errs, fmt.Errorf("apply %s: %w", Describe(o), err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (c *Client) applyOne(ctx context.Context, o *unstructured.Unstructured) error {
	o = c.guest.translate(o)
	res, err := c.resource(o)
	if err != nil {
		return err
	}
	_, err = res.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
	return err
}

// Delete deletes the objects in reverse order, and does not wait for their removal. A missing object is no error. Delete continues
// after an error, and returns all errors.
func (c *Client) Delete(ctx context.Context, objs ...*unstructured.Unstructured) error {
	var errs []error
	background := metav1.DeletePropagationBackground
	for i := len(objs) - 1; i >= 0; i-- {
		o := objs[i]
		res, err := c.resource(o)
		if err == nil {
			err = res.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
		}
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("delete %s: %w", Describe(o), err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// Get returns the server's object of the same kind, namespace, and name. apierrors.IsNotFound reports a missing object.
func (c *Client) Get(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	res, err := c.resource(o)
	if err == nil {
		var got *unstructured.Unstructured
		if got, err = res.Get(ctx, o.GetName(), metav1.GetOptions{}); err == nil {
			return got, nil
		}
	}
	return nil, fmt.Errorf("get %s: %w", Describe(o), err)
}

// resource returns the REST resource for an object, in the default namespace if the object specifies none.
func (c *Client) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := o.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		// The custom resource might be newer than the discovery cache.
		meta.MaybeResetRESTMapper(c.mapper)
		mapping, err = c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	if err != nil {
		return nil, err
	}
	res := c.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return res, nil
	}
	return res.Namespace(namespaceOf(o)), nil
}

// Describe returns the kind and name of an object: "ingress shop/web", "namespace shop".
func Describe(o *unstructured.Unstructured) string {
	return strings.ToLower(o.GetKind()) + " " + path.Join(o.GetNamespace(), o.GetName())
}

// Patch applies a patch of the given type to the object of the same kind, namespace, and name
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply).
func (c *Client) Patch(ctx context.Context, o *unstructured.Unstructured, kind types.PatchType, patch []byte) error {
	res, err := c.resource(o)
	if err == nil {
		patch, err = c.guest.translatePatch(o, kind, patch)
	}
	if err == nil {
		_, err = res.Patch(ctx, o.GetName(), kind, patch, metav1.PatchOptions{FieldManager: FieldManager})
	}
	if err != nil {
		return fmt.Errorf("patch %s: %w", Describe(o), err)
	}
	return nil
}

// translatePatch translates a merge patch in the same way as translate translates an object.
func (g *Guest) translatePatch(o *unstructured.Unstructured, kind types.PatchType, patch []byte) ([]byte, error) {
	if g == nil || kind != types.MergePatchType {
		return patch, nil
	}
	var fields map[string]any
	if err := json.Unmarshal(patch, &fields); err != nil {
		return nil, err
	}
	like := &unstructured.Unstructured{Object: maps.Clone(fields)}
	like.SetKind(o.GetKind())
	translated := g.translate(like).Object
	delete(translated, "kind")
	return json.Marshal(translated)
}

// dumped are the kinds that affect an Ingress. Secrets are excluded, because users send dumps to each other.
var dumped = []schema.GroupVersionKind{
	{Version: "v1", Kind: "Node"},
	{Version: "v1", Kind: "Namespace"},
	{Version: "v1", Kind: "Pod"},
	{Version: "v1", Kind: "Service"},
	{Version: "v1", Kind: "ConfigMap"},
	{Version: "v1", Kind: "Event"},
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "apps", Version: "v1", Kind: "DaemonSet"},
	{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "IngressClass"},
	{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"},
}

// Dump writes the objects that affect an Ingress, of all namespaces, into dir: one YAML list per kind. It continues after an error, and
// returns all errors.
func (c *Client) Dump(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("dump objects: %w", err)
	}
	var errs []error
	for _, gvk := range dumped {
		if err := c.dumpKind(ctx, dir, gvk); err != nil {
			errs = append(errs, fmt.Errorf("dump %s: %w", gvk.Kind, err))
		}
	}
	return errors.Join(errs...)
}

func (c *Client) dumpKind(ctx context.Context, dir string, gvk schema.GroupVersionKind) error {
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		return nil // the server lacks this API
	}
	if err != nil {
		return err
	}
	list, err := c.dynamic.Resource(mapping.Resource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		list.Items[i].SetManagedFields(nil) // half of the text, and of no use to a reader
	}
	text, err := yaml.Marshal(list)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, mapping.Resource.Resource+".yaml"), text, 0o644)
}
