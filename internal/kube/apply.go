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

// defaultNamespace is where namespaced objects go that name no namespace, as
// with kubectl.
const defaultNamespace = metav1.NamespaceDefault

// Apply creates or changes the objects, in the order given, by server-side
// apply. An object that is already as wanted is left alone: its resource
// version does not change. Fields that others own and the object names are
// taken over: the manifest is the truth. Apply goes on after an error and
// returns all of them, each naming its object.
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

// Delete removes the objects, in reverse order, and does not wait until they
// are gone. Objects that do not exist are no error. It goes on after an error
// and returns all of them.
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

// Get returns the object of the same kind, namespace and name as the server
// has it. The error satisfies apierrors.IsNotFound if there is none.
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

// resource finds the REST resource of an object's kind and puts a namespaced
// object without a namespace into the default one.
func (c *Client) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := o.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		// A custom resource may have been defined since discovery was cached.
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

// Describe names an object in the way people speak of it: "ingress
// shop/web", "namespace shop".
func Describe(o *unstructured.Unstructured) string {
	return describe(o.GetKind(), o.GetNamespace(), o.GetName())
}
