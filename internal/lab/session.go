package lab

import (
	"context"
	"errors"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Session is one lab in one cluster, for whoever goes through it: a student in front of the tutor, `ingresslab check`, or the
// prover. It holds no state of its own but what connects its steps (sessions with their cookies): what is true, the cluster
// says. It is safe for concurrent use.
type Session struct {
	lab *Lab
	env Env
}

// NewSession makes no request.
func NewSession(l *Lab, env Env) *Session { return &Session{lab: l, env: env} }

// errNotBuilt marks what is being built.
var errNotBuilt = errors.New("not built yet")

// Lab returns the lab.
func (s *Session) Lab() *Lab { return s.lab }

// Start brings the namespace, and what the lab borrows outside of it, to start/, and waits until that is ready. It is also the
// way back: whatever was changed of the lab's objects is undone. The notes say what was put back, and what of the student's was
// left alone.
func (s *Session) Start(context.Context) (notes []string, err error) { return nil, errNotBuilt }

// Solve carries out a task's solution, and waits until it is in force. The tasks before it have to be solved.
func (s *Session) Solve(_ context.Context, task string) error { return errNotBuilt }

// Remove deletes the lab's namespace and gives back what the lab has borrowed.
func (s *Session) Remove(context.Context) error { return errNotBuilt }

// Look looks once at every task, and waits for nothing. The error says that the cluster could not be asked; what of the lab is
// gone is in the State.
func (s *Session) Look(context.Context) (State, error) { return State{}, errNotBuilt }

// Advise returns what there is to say about a task that is not done: first the hints whose fault is there, then what package
// diagnosis has found beside, then the task's own guide. It is never empty.
func (s *Session) Advise(_ context.Context, task string) ([]Advice, error) { return nil, errNotBuilt }

// Pose returns the quiz with the choices of this moment. Grade then asks the cluster and explains.
func (s *Session) Pose(context.Context) (Question, error) { return Question{}, errNotBuilt }

// Grade finds the truth and compares the choice with it.
func (s *Session) Grade(_ context.Context, choice string) (Grade, error) { return Grade{}, errNotBuilt }

// State is what one look has seen.
type State struct {
	Tasks []TaskState `json:"tasks"`
	// Lost is what has to be there for any task to be done, and is not; the tasks say nothing then.
	Lost []Loss `json:"lost,omitempty"`
}

// TaskState is what one look at a task has seen.
type TaskState struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Done  bool   `json:"done"`
	// Steps are the steps of the check up to the first that does not hold: expected and observed are in its mismatches.
	Steps []scenario.StepReport `json:"steps"`
}

// Loss is a part of the lab that is gone, and how to get it back.
type Loss struct {
	// What is "cluster", "controller", "namespace" or "start": one of the objects of start/ that the student does not edit.
	What string `json:"what"`
	// Text says it for people: "the namespace lab-1 is gone".
	Text string `json:"text"`
	// Remedy says what restoring does: "start/ is put back; your files stay as they are".
	Remedy string `json:"remedy"`
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
