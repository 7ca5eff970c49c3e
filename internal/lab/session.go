package lab

import (
	"context"
	"maps"
	"slices"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Session is one lab in one cluster, for whoever goes through it: a student in front of the tutor, `ingresslab check`, or the
// prover. What is true, the cluster says: all that a Session remembers is what traffic came to a moment ago, see Look. It is safe
// for concurrent use.
type Session struct {
	lab    *Lab
	env    Env
	memory memory
}

// NewSession makes no request.
func NewSession(l *Lab, env Env) *Session { return &Session{lab: l, env: env} }

// Lab returns the lab.
func (s *Session) Lab() *Lab { return s.lab }

// Lacks returns why the lab cannot be done in this cluster; nothing if it can.
func (s *Session) Lacks() []string { return s.env.Capabilities.Lacks(s.lab.Requires...) }

// Start brings the namespace, and what the lab borrows outside of it, to start/, and waits until that is ready. It is also the
// way back: whatever was changed of the lab's objects is undone. The notes say what was put back, and what of the student's was
// left alone: objects whose names are in none of the lab's manifests. They are returned with an error, too, which is a
// *kube.NotReadyError if only the pods do not become ready.
func (s *Session) Start(ctx context.Context) (notes []string, err error) {
	p, err := s.start(ctx, false)
	return p.notes(s.lab.Namespace), err
}

// Reset is Start, and removes what the student has made under other names in the lab's namespace, too.
func (s *Session) Reset(ctx context.Context) (notes []string, err error) {
	p, err := s.start(ctx, true)
	return p.notes(s.lab.Namespace), err
}

// Solve carries out a task's solution, and waits until the pods that it made are ready. The tasks before it have to be solved. The
// error is an *UnknownTaskError, a *StepError or a *kube.NotReadyError; any other is the cluster's.
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

// State is what one look has seen.
type State struct {
	Tasks []TaskState `json:"tasks"`
	// Lost is what has to be there for any task to be done, and is not; the tasks say nothing then.
	Missing []Missing `json:"lost,omitempty"`
}

// TaskState is what one look at a task has seen.
type TaskState struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Done  bool   `json:"done"`
	// Steps are the steps of the check up to the first that does not hold: expected and observed are in its mismatches.
	Steps []scenario.StepReport `json:"steps"`
}

// Missing is a part of the lab that is gone, and how to get it back.
type Missing struct {
	// What is "cluster", "controller", "namespace" or "start": one of the objects of start/ that the student does not edit.
	What string `json:"what"`
	// Text says it for people: "the namespace lab-1 is gone".
	Text string `json:"text"`
	// Remedy says what restoring does: "start/ is put back; your files stay as they are".
	Fix string `json:"remedy"`
}

// Advice is a hint for one fault.
type Advice struct {
	// Hint is the lab's hint; its ID is empty if the lab has none for the fault.
	Hint string `json:"hint,omitempty"`
	// Finding is the fault; nil for the guide, and for a hint with a check of its own.
	Finding *diagnosis.Finding `json:"finding,omitempty"`
	// Tiers are what to say, each more open than the one before. There is at least one.
	Tiers []string `json:"tiers"`
}

// Question is a quiz to answer now.
type Question struct {
	Text    string   `json:"text"`
	Choices []string `json:"choices"`
}

// Grade is the cluster's answer.
type Grade struct {
	Choice string `json:"choice"`
	Truth  string `json:"truth"`
	Right  bool   `json:"right"`
	// Why explains the truth; Evidence is how it was found: the request and its answer, or the object and its field.
	Why      string `json:"why"`
	Evidence string `json:"evidence"`
}
