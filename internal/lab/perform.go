package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// StepError says which step of a solution did not succeed.
type StepError struct {
	// What is whose step it is: "the solution of task cheddar".
	What string
	Step scenario.StepReport
}

// Error names the step and why it did not succeed.
func (e *StepError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.What, e.Step.Text, e.Step.Why())
}

// Perform carries out steps that change something, as a student could do them in place of a task's solution. files are the manifests
// that apply and delete may name; their objects get the lab's label. It returns a *StepError if a step does not succeed, and waits
// until the pods that were made are ready.
func (s *Session) Perform(ctx context.Context, what string, files map[string]scenario.Manifest, steps []scenario.Step) error {
	applied, err := s.carryOut(ctx, what, files, steps)
	if err != nil {
		return err
	}
	return s.awaitReady(ctx, applied)
}

// carryOut is Perform without the wait; it returns what was applied. Authorities of certificates and cookies of sessions do not
// outlast a step that applies the controller's ConfigMap.
func (s *Session) carryOut(
	ctx context.Context, what string, files map[string]scenario.Manifest, steps []scenario.Step,
) (applied []*unstructured.Unstructured, err error) {
	own := map[string]scenario.Manifest{}
	configs := map[string]*unstructured.Unstructured{}
	for name, m := range files {
		m.Objects, configs[name] = withoutConfig(s.lab.own(m.Objects))
		own[name] = m
	}
	hasConfig := func(step scenario.Step) bool {
		return slices.ContainsFunc(step.Apply, func(name string) bool { return configs[name] != nil })
	}
	for len(steps) > 0 {
		// The steps up to the first that applies the controller's ConfigMap: what comes after it may stand on it.
		part := steps
		if first := slices.IndexFunc(steps, hasConfig); first >= 0 {
			part = steps[:first+1]
		}
		for i, report := range scenario.Perform(ctx, s.env.Env, s.lab.Namespace, own, part) {
			if report.Outcome != scenario.Passed {
				return nil, errors.Join(&StepError{what, report}, ctx.Err())
			}
			for _, name := range part[i].Apply {
				applied = append(applied, own[name].Objects...)
				if configs[name] == nil {
					continue
				}
				// A lab's version of it replaces what is there, which applying would only add to.
				if _, err := configure(ctx, s.env.Kube.Clientset(), s.lab, configs[name]); err != nil {
					return nil, fmt.Errorf("%s: %w", what, err)
				}
			}
		}
		steps = steps[len(part):]
	}
	return applied, nil
}
