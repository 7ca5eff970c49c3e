package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Session is one lab in one cluster. It keeps no state except for the cache of Poll, and is safe
// for concurrent use.
type Session struct {
	lab   *Lab
	env   Env
	cache pollCache
}

// NewSession returns a Session without sending a request.
func NewSession(l *Lab, env Env) *Session { return &Session{lab: l, env: env} }

// Lab returns the lab.
func (s *Session) Lab() *Lab { return s.lab }

// Lacks returns the reasons why the cluster does not support the lab.
func (s *Session) Lacks() []string { return s.env.Capabilities.Lacks(s.lab.Requires...) }

// Start restores the objects of start/ and waits until they are ready. It keeps objects whose names
// are in none of the lab's manifests. The notes describe changes. They can be returned together
// with an error. A *kube.NotReadyError means that only the pods are not ready.
func (s *Session) Start(ctx context.Context) (notes []string, err error) {
	p, err := s.start(ctx, false)
	return p.notes(s.lab.Namespace), err
}

// Reset is like Start, and also removes the student's other objects from the lab's namespace.
func (s *Session) Reset(ctx context.Context) (notes []string, err error) {
	p, err := s.start(ctx, true)
	return p.notes(s.lab.Namespace), err
}

// Solve runs a task's solution and waits until its pods are ready. The tasks before it must be
// solved. The error is an *UnknownTaskError, a *StepError, a *kube.NotReadyError, or an error of
// the cluster.
func (s *Session) Solve(ctx context.Context, task string) error {
	t, err := s.lab.Task(task)
	if err != nil {
		return err
	}
	steps := t.Solution
	if len(steps) == 0 {
		steps = []scenario.Step{{Apply: slices.Sorted(maps.Keys(s.lab.files))}}
	}
	return s.Perform(ctx, "the solution of task "+task, s.lab.files, steps)
}

// StepError reports a failed step of a solution.
type StepError struct {
	What string // What names the owner of the step, such as "the solution of task cheddar"
	Step scenario.StepReport
}

// Error names the step and the reason.
func (e *StepError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.What, e.Step.Text, e.Step.Why())
}

// Perform runs steps in place of a task's solution and waits until their pods are ready. files are
// the manifests for apply and delete; their objects get the lab's label. The error is a *StepError
// if a step fails.
func (s *Session) Perform(ctx context.Context, what string, files map[string]scenario.Manifest, steps []scenario.Step) error {
	applied, err := s.runSteps(ctx, what, files, steps)
	if err != nil {
		return err
	}
	return s.awaitReady(ctx, applied)
}

// runSteps is like Perform, but does not wait, and returns the applied objects. Certificate
// authorities and session cookies are lost after a step that applies the controller's ConfigMap.
func (s *Session) runSteps(
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
		// Stop after each step that applies the controller's ConfigMap, because the next steps can
		// depend on it.
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
				// The lab's version replaces all data; apply would keep other keys.
				if _, err := configure(ctx, s.env.Kube.Clientset(), s.lab, configs[name]); err != nil {
					return nil, fmt.Errorf("%s: %w", what, err)
				}
			}
		}
		steps = steps[len(part):]
	}
	return applied, nil
}

// State is the result of a poll.
type State struct {
	Tasks []TaskState `json:"tasks"`
	// Missing lists the missing parts without which no task can be done.
	Missing []Missing `json:"lost,omitempty"`
}

// TaskState is the state of a task.
type TaskState struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Done  bool   `json:"done"`
	// Steps are the steps of the check up to the first failed one.
	Steps []scenario.StepReport `json:"steps"`
}

// Missing is a missing part of the lab.
type Missing struct {
	// What is "cluster", "controller", "namespace", or "start" (an object of start/ that no task
	// changes).
	What string `json:"what"`
	// Text is a message, such as "namespace lab-1 does not exist".
	Text string `json:"text"`
	// Fix says how to restore the part, such as "restores start/ and does not change your files".
	Fix string `json:"remedy"`
}

// Advice is a hint for one finding.
type Advice struct {
	// Hint is the ID of the lab's hint. It is empty if the lab has no hint for the finding.
	Hint string `json:"hint,omitempty"`
	// Finding is nil for a default hint and for a hint with its own check.
	Finding *diagnosis.Finding `json:"finding,omitempty"`
	// Levels are the levels of the hint, each more specific than the one before. There is at least
	// one.
	Levels []string `json:"tiers"`
}

// Question is a quiz with its current choices.
type Question struct {
	Text    string   `json:"text"`
	Choices []string `json:"choices"`
}

// Grade is the result of a quiz.
type Grade struct {
	Choice string `json:"choice"`
	Truth  string `json:"truth"`
	Right  bool   `json:"right"`
	// Why explains the right answer. Evidence shows it with a request and its response, or with a
	// field of an object.
	Why      string `json:"why"`
	Evidence string `json:"evidence"`
}
