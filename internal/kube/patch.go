package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

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

// translatePatch translates a merge patch as translate does an object.
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
