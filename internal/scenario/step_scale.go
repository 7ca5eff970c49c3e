package scenario

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// scale sets the number of a Deployment's pods. Like apply, it does not wait for them.
func (r *runner) scale(ctx context.Context, s Scale, report *StepReport) error {
	r.disturbed = true
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, *s.Replicas)
	_, err := r.env.Kube.Clientset().AppsV1().Deployments(r.names.namespace).
		Patch(ctx, s.Deployment, types.MergePatchType, patch, metav1.PatchOptions{})
	report.Outcome = outcomeOf(err)
	return err
}
