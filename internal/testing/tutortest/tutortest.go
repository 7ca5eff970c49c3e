// Package tutortest provides a lab without a cluster for tests of the tutor's front ends.
package tutortest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/progress"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/tutor"
)

// Course returns a lab with four tasks on three pages and a quiz. A later task undoes the third
// task, so it is transient.
func Course() tutor.Course {
	l := &lab.Lab{Number: 7, Name: "doors"}
	l.Title, l.Namespace = "Doors to open", "lab-7"
	l.Tasks = []lab.Task{
		{ID: "stands", Title: "The house stands", PassesAtStart: true},
		{ID: "front", Title: "The front door is open"},
		{ID: "knocked", Title: "A visitor has knocked", Transient: true},
		{ID: "back", Title: "The back door is open"},
	}
	l.Quiz = &lab.Quiz{Question: "Who answers?"}
	return tutor.Course{Lab: l, Pages: []tutor.Page{
		{Title: "The house", Text: "A house has `doors`.\n\n```console\n$ kubectl get doors\nfront   closed\n```\n", Tasks: []string{"stands"}},
		{Title: "The front door", Text: "Open the **front door**, and let a visitor knock.", Tasks: []string{"front", "knocked"}},
		{Title: "The back door", Text: "Open the back door, too.", Tasks: []string{"back"}},
	}}
}

// Session simulates a lab with files in a directory:
//   - "done-ID": the task is done
//   - "stuck-ID": solving the task fails with the file's content
//   - "down": the API server fails with the file's content
//   - "gone": the cluster no longer exists
//   - "lost": the part of the lab that the file's content names is missing
//   - "fault": the code of the finding for hints
type Session struct {
	Dir string
	mu  sync.Mutex
}

// Put writes a file of the directory.
func (s *Session) Put(name, content string) error {
	return os.WriteFile(filepath.Join(s.Dir, name), []byte(content), 0o600)
}

// Drop removes a file of the directory.
func (s *Session) Drop(name string) error { return os.RemoveAll(filepath.Join(s.Dir, name)) }

func (s *Session) read(name string) (content string, found bool) {
	data, err := os.ReadFile(filepath.Join(s.Dir, name))
	return strings.TrimSpace(string(data)), err == nil
}

// Start implements tutor.Session.
func (s *Session) Start(context.Context) ([]string, error) {
	for _, task := range Course().Lab.Tasks {
		if err := s.Drop("done-" + task.ID); err != nil {
			return nil, err
		}
	}
	return nil, errors.Join(s.Drop("lost"), s.Put("done-stands", ""))
}

// Reset implements tutor.Session.
func (s *Session) Reset(ctx context.Context) ([]string, error) { return s.Start(ctx) }

// Solve implements tutor.Session.
func (s *Session) Solve(_ context.Context, task string) error {
	if reason, found := s.read("stuck-" + task); found {
		return errors.New(reason)
	}
	return s.Put("done-"+task, "")
}

// Poll implements tutor.Session.
func (s *Session) Poll(context.Context) (lab.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reason, found := s.read("down"); found {
		return lab.State{}, errors.New(reason)
	}
	if part, found := s.read("lost"); found {
		return lab.State{Missing: []lab.Missing{{What: part, Text: "the " + part + " is missing", Fix: "creates it again"}}}, nil
	}
	var done []string
	for _, task := range Course().Lab.Tasks {
		if _, found := s.read("done-" + task.ID); found {
			done = append(done, task.ID)
		}
	}
	return State(done...), nil
}

// State returns the result of a poll in which the tasks with these IDs are done.
func State(done ...string) lab.State {
	var state lab.State
	for _, task := range Course().Lab.Tasks {
		passed := strings.Contains(" "+strings.Join(done, " ")+" ", " "+task.ID+" ")
		step := scenario.StepReport{Number: 1, Verb: "expect", Text: "GET http://" + task.ID + "/", Outcome: scenario.Passed}
		if !passed {
			step.Outcome = scenario.Failed
			step.Mismatches = []probe.Mismatch{{Field: "status", Expected: "200", Observed: "404"}}
		}
		state.Tasks = append(state.Tasks, lab.TaskState{ID: task.ID, Title: task.Title, Done: passed, Steps: []scenario.StepReport{step}})
	}
	return state
}

// Advise implements tutor.Session: it returns three levels for the finding, and a default hint with
// one level.
func (s *Session) Advise(_ context.Context, task string) ([]lab.Advice, error) {
	code, _ := s.read("fault")
	finding := &diagnosis.Finding{Code: code, Object: "door/" + task, Field: "spec.lock", Expected: "open", Observed: "shut " + code}
	return []lab.Advice{
		{Hint: "locked", Finding: finding, Levels: []string{"Is it locked?", "Look at its lock.", "Set spec.lock to open."}},
		{Levels: []string{"Doors have handles."}},
	}, nil
}

// Pose implements tutor.Session.
func (s *Session) Pose(context.Context) (lab.Question, error) {
	return lab.Question{Text: "Who answers?", Choices: []string{"the cat", "the dog"}}, nil
}

// Grade implements tutor.Session: the right answer is "the dog".
func (s *Session) Grade(_ context.Context, choice string) (lab.Grade, error) {
	return lab.Grade{Choice: choice, Truth: "the dog", Right: choice == "the dog", Why: "Cats do not answer.",
		Evidence: "GET / returned: woof"}, nil
}

// Host returns a host for the session. The host saves progress to "progress.json" in the directory.
func (s *Session) Host() *tutor.Host {
	store := progress.NewStore(filepath.Join(s.Dir, "progress.json"))
	h := &tutor.Host{
		Files: files{},
		Up:    func(context.Context) (tutor.Session, error) { return s, errors.Join(s.Drop("down"), s.Drop("gone")) },
		Gone: func(context.Context) error {
			if reason, found := s.read("gone"); found {
				return errors.New(reason)
			}
			return nil
		},
		Store: func(ctx context.Context, r progress.Record) error { return store.Put(ctx, "doors", r) },
	}
	h.Use(s)
	return h
}

// files is an empty workspace.
type files struct{}

func (files) See(context.Context, []string) []tutor.FileState { return nil }
func (files) PutSolution(string) ([]string, error) {
	return []string{"Added to your workspace: door.yaml."}, nil
}
func (files) Reset() ([]string, error) { return nil, nil }
