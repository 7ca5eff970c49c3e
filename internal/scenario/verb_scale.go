package scenario

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Scale sets the number of pods of a Deployment.
type Scale struct {
	// Name of the Deployment.
	Deployment string `yaml:"deployment" jsonschema:"required"`
	// The number of pods.
	Replicas *int32 `yaml:"replicas" jsonschema:"required,minimum=0"`
}

func (s Scale) validate(c *checker, path string) {
	if s.Deployment == "" {
		c.fault(path+".deployment", "is missing")
	}
	if s.Replicas == nil {
		c.fault(path+".replicas", "is missing")
	} else if *s.Replicas < 0 {
		c.fault(path+".replicas", "%d is less than zero", *s.Replicas)
	}
}

func (s Scale) traits() traits { return traits{inSolution: true} }

func (s Scale) describe(isolation) string {
	return fmt.Sprintf("scale deployment %s to %d", s.Deployment, *s.Replicas)
}

// run sets the number of pods. Like apply, it does not wait for them.
func (s Scale) run(ctx context.Context, r *runner, report *StepReport) error {
	r.disturbed = true
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, *s.Replicas)
	_, err := r.env.Kube.Clientset().AppsV1().Deployments(r.names.namespace).
		Patch(ctx, s.Deployment, types.MergePatchType, patch, metav1.PatchOptions{})
	report.Outcome = outcomeOf(err)
	return err
}
