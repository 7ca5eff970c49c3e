package tutor

import (
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
)

// Event is an input of a Tutor: a Command or Choose of the student, or the result of an Effect.
type Event any

// Effect is an operation that a Tutor requests. Effects of different kinds run in parallel.
type Effect any

// Command is a request of the student.
type Command int

// The commands.
const (
	Begin Command = iota // the first event; it comes only once
	Next
	Back
	Hint // Hint opens a hint, or the next level of the open hint.
	// Solve solves the current task, Skip all tasks up to this page, and Reset returns the lab to
	// its start. Each waits for Yes; any other command cancels it.
	Solve
	Skip
	Reset
	Yes
	No
	Restore // Restore restores the missing parts of the cluster and the lab.
	Quit
)

// Choose answers the quiz with the choice at this index.
type Choose int

// The results of effects. Err reports why an effect failed.
type (
	// Woke is the end of a Sleep.
	Woke struct{ Seq int }
	// Polled is the result of Poll. Gone, with Err, reports that the cluster does not exist.
	Polled struct {
		State lab.State
		Err   error
		Gone  bool
	}
	// Solved is the result of SolveTask. Notes describe changes to the student's files.
	Solved struct {
		Task  string
		Notes []string
		Err   error
	}
	// Started is the result of Start.
	Started struct {
		Reset bool
		Notes []string
		Err   error
	}
	// Advised is the result of Advise.
	Advised struct {
		Task   string
		Advice []lab.Advice
		Err    error
	}
	// Posed is the result of Pose.
	Posed struct {
		Question lab.Question
		Err      error
	}
	// Graded is the result of Grade.
	Graded struct {
		Grade lab.Grade
		Err   error
	}
	// BroughtUp is the result of BringUp.
	BroughtUp struct{ Err error }
	// FilesChanged names the files of the workspace that changed.
	FilesChanged struct{ Names []string }
	// FilesSeen is the result of SeeFiles.
	FilesSeen struct{ Files []FileState }
	// Saved is the result of Save.
	Saved struct{ Err error }
)

// FileState compares a file of the student with the cluster.
type FileState struct {
	Name   string   // the file's name in the workspace
	Gone   bool     // reports that the file was deleted
	Errors []string // the errors in the file, one line each: "ingress.yaml:7: message"
	// Pending lists the objects that differ in the cluster: "ingress/cheddar".
	Pending []string
}

// The effects. The result of each effect has a similar name. Exit has no result.

type (
	// Sleep waits for a time. Seq identifies the sleep in Woke.
	Sleep struct {
		For time.Duration
		Seq int
	}
	// Poll checks all tasks once.
	Poll struct{}
	// SolveTask solves a task and writes the files of its solution to the workspace.
	SolveTask struct{ Task string }
	// Start returns the lab to its start. With Reset, it also resets the workspace.
	Start struct{ Reset bool }
	// Advise gets the hints for a task.
	Advise struct{ Task string }
	// Pose gets the quiz with its choices.
	Pose struct{}
	// Grade grades an answer to the quiz.
	Grade struct{ Choice string }
	// BringUp starts the cluster and the controller.
	BringUp struct{}
	// SeeFiles compares files of the workspace with the cluster.
	SeeFiles struct{ Names []string }
	// Save saves the progress.
	Save struct{ Record progress.Record }
	// Exit ends the tutor.
	Exit struct{}
)
