package fakecluster

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/internal/kube"
)

// Patch implements scenario.Kube.
func (c *Cluster) Patch(ctx context.Context, o *unstructured.Unstructured, kind types.PatchType, patch []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	before := c.objects[identity(o)]
	if before == nil {
		return fmt.Errorf("patch %s: %w", identity(o), apierrors.NewNotFound(schema.GroupResource{Resource: o.GetKind()}, o.GetName()))
	}
	data, err := before.MarshalJSON()
	if err == nil {
		data, err = merged(kind, data, patch)
	}
	if err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("patch %s: %v", identity(o), err))
	}
	after := &unstructured.Unstructured{}
	if err := after.UnmarshalJSON(data); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("patch %s: %v", identity(o), err))
	}
	return c.put(after)
}

func merged(kind types.PatchType, object, patch []byte) ([]byte, error) {
	if kind == types.MergePatchType {
		return jsonpatch.MergePatch(object, patch)
	}
	operations, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil, err
	}
	return operations.Apply(object)
}

// Exec implements scenario.Kube.
func (c *Cluster) Exec(ctx context.Context, command kube.Command) (kube.Output, error) {
	if ctx.Err() != nil || c.OnExec == nil {
		return kube.Output{}, ctx.Err()
	}
	return c.OnExec(command)
}

// PostPod implements scenario.Kube.
func (c *Cluster) PostPod(ctx context.Context, _, pod string, _ int32, path string, query url.Values) (*kube.Answer, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if c.OnPost == nil {
		return &kube.Answer{Status: http.StatusOK}, nil
	}
	answer := c.OnPost(pod, path, query)
	return &answer, nil
}
