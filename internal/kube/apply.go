package kube

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// defaultNamespace is the namespace of objects that specify none, as in kubectl.
const defaultNamespace = metav1.NamespaceDefault

// Apply creates or changes the objects in order, by server-side apply. The resource version of an unchanged object stays. Apply takes
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
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", Describe(o), err)
	}
	got, err := res.Get(ctx, o.GetName(), metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", Describe(o), err)
	}
	return got, nil
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
	if o.GetNamespace() == "" {
		return res.Namespace(defaultNamespace), nil
	}
	return res.Namespace(o.GetNamespace()), nil
}

// Describe returns the kind and name of an object: "ingress shop/web", "namespace shop".
func Describe(o *unstructured.Unstructured) string {
	return describe(o.GetKind(), o.GetNamespace(), o.GetName())
}
