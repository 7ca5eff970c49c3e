package lab

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// perform carries out steps that change something. files are the manifests that they may name.
func (s *Session) perform(ctx context.Context, what string, files map[string]scenario.Manifest, steps []scenario.Step) error {
	var applied []*unstructured.Unstructured
	for _, step := range steps {
		if step.Verb() != "apply" {
			return fmt.Errorf("%s: verb %s is not built yet", what, step.Verb())
		}
		for _, name := range step.Apply {
			applied = append(applied, s.lab.own(files[name].Objects)...)
		}
	}
	others, config := withoutConfig(applied)
	if err := s.env.Kube.Apply(ctx, others...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if config != nil {
		if _, err := configure(ctx, s.env.Kube.Clientset(), s.lab, config); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return s.awaitReady(ctx, others)
}
