package tutor

import (
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
)

// Event is something that has happened: a Command or Choose of the student's, or what came of an Effect.
type Event interface{ event() }

// Command is what a student can ask for.
type Command int

// The commands.
const (
	// Begin comes first, and only once.
	Begin Command = iota
	// Next and Back turn the pages.
	Next
	Back
	// Hint asks for a hint, or for the next tier of the one that is there.
	Hint
	// Solve asks for the present task to be solved, Skip for all tasks up to those of this screen, Reset for the lab to be
	// brought back to its start. They have to be confirmed by Yes, which any other command takes back.
	Solve
	Skip
	Reset
	Yes
	No
	// Restore brings back what is gone.
	Restore
	// Quit ends the tutor.
	Quit
)

// Choose answers the question at the end: the index of a choice.
type Choose int

// The events that come of effects, each with an error if it could not be done.
type (
	// Woke is the end of a Sleep.
	Woke struct{ Seq int }
	// Polled is what Look saw. Gone says, with the error, that the whole cluster is not there anymore.
	Polled struct {
		State lab.State
		Err   error
		Gone  bool
	}
	// Solved is what became of SolveTask; Notes are about the student's files.
	Solved struct {
		Task  string
		Notes []string
		Err   error
	}
	// Started is what became of Start.
	Started struct {
		Reset bool
		Notes []string
		Err   error
	}
	// Advised is what came of Advise.
	Advised struct {
		Task   string
		Advice []lab.Advice
		Err    error
	}
	// Posed is what came of Pose.
	Posed struct {
		Question lab.Question
		Err      error
	}
	// Graded is what came of Grade.
	Graded struct {
		Grade lab.Grade
		Err   error
	}
	// BroughtUp is what came of BringUp.
	BroughtUp struct{ Err error }
	// FilesChanged says that files of the workspace were written, by their names in it.
	FilesChanged struct{ Names []string }
	// FilesSeen is what came of SeeFiles.
	FilesSeen struct{ Files []FileState }
	// Saved is what came of Save.
	Saved struct{ Err error }
)

func (Command) event()      {}
func (Choose) event()       {}
func (Woke) event()         {}
func (Polled) event()       {}
func (Solved) event()       {}
func (Started) event()      {}
func (Advised) event()      {}
func (Posed) event()        {}
func (Graded) event()       {}
func (BroughtUp) event()    {}
func (FilesChanged) event() {}
func (FilesSeen) event()    {}
func (Saved) event()        {}

// FileState is what there is to say about a file of the student's.
type FileState struct {
	// Name is the file's name in the workspace.
	Name string
	// Gone says that there is no such file anymore.
	Gone bool
	// Faults are what is wrong with it, a line each: "ingress.yaml:7: what".
	Faults []string
	// Pending are the objects that the cluster does not have as the file has them: "ingress/cheddar".
	Pending []string
}

// Effect is something to do in the world. Those that take time are done beside each other; a Tutor never asks for two of a
// kind at once.
type Effect interface{ effect() }

// Each effect is followed by the event of its name, but for Exit.

type (
	// Sleep lets time pass.
	Sleep struct {
		For time.Duration
		Seq int
	}
	// Look looks at the tasks once.
	Poll struct{}
	// SolveTask solves a task, and puts its solution's files into the workspace.
	SolveTask struct{ Task string }
	// Start brings the lab to its start; Reset the files of the workspace, too.
	Start struct{ Reset bool }
	// Advise asks what there is to say about a task.
	Advise struct{ Task string }
	// Pose asks for the question, Grade for the answer to a choice.
	Pose struct{}
	// Grade has the cluster answer the quiz.
	Grade struct{ Choice string }
	// BringUp brings up the cluster and the controller in it.
	BringUp struct{}
	// SeeFiles compares files of the workspace with the cluster.
	SeeFiles struct{ Names []string }
	// Save remembers the progress.
	Save struct{ Record progress.Record }
	// Exit ends the tutor.
	Exit struct{}
)

func (Sleep) effect()     {}
func (Poll) effect()      {}
func (SolveTask) effect() {}
func (Start) effect()     {}
func (Advise) effect()    {}
func (Pose) effect()      {}
func (Grade) effect()     {}
func (BringUp) effect()   {}
func (SeeFiles) effect()  {}
func (Save) effect()      {}
func (Exit) effect()      {}
