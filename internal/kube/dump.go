package kube

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

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
		list.Items[i].SetManagedFields(nil) // half of the text, without use for the reader
	}
	text, err := yaml.Marshal(list)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, mapping.Resource.Resource+".yaml"), text, 0o644)
}
