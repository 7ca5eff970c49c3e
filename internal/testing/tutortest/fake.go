// Package tutortest has a lab without a cluster, for tests of the tutor's faces.
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

// Course is a lab of three tasks on three pages, with a question at the end. Its second task is transient.
func Course() tutor.Course {
	l := &lab.Lab{Number: 7, Name: "doors"}
	l.Title, l.Namespace = "Doors to open", "lab-7"
	l.Tasks = []lab.Task{
		{ID: "stands", Title: "The house stands", PassesAtStart: true},
		{ID: "front", Title: "The front door is open"},
		{ID: "knocked", Title: "Somebody has knocked", Transient: true},
		{ID: "back", Title: "The back door is open"},
	}
	l.Quiz = &lab.Quiz{Question: "Who answers?"}
	return tutor.Course{Lab: l, Pages: []tutor.Page{
		{Title: "The house", Text: "A house has `doors`.\n\n```console\n$ kubectl get doors\nfront   closed\n```\n", Tasks: []string{"stands"}},
		{Title: "The front door", Text: "Open the **front door**, and let somebody knock.", Tasks: []string{"front", "knocked"}},
		{Title: "The back door", Text: "Open the back door, too.", Tasks: []string{"back"}},
	}}
}

// Session is a lab whose cluster is a directory: a task is done while there is a file "done-ID"; while there is a file
// "down", nothing answers, and its content is the reason; a file "lost" says what is gone; "fault" which fault a hint is for.
type Session struct {
	Dir string

	mu sync.Mutex
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

// Solve implements tutor.Session. It fails for a task of which there is a file "stuck-ID".
func (s *Session) Solve(_ context.Context, task string) error {
	if why, found := s.read("stuck-" + task); found {
		return errors.New(why)
	}
	return s.Put("done-"+task, "")
}

// Look implements tutor.Session.
func (s *Session) Poll(context.Context) (lab.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if why, found := s.read("down"); found {
		return lab.State{}, errors.New(why)
	}
	if what, found := s.read("lost"); found {
		return lab.State{Missing: []lab.Missing{{What: what, Text: "the " + what + " is gone", Fix: "it is put back"}}}, nil
	}
	var state lab.State
	for _, task := range Course().Lab.Tasks {
		_, done := s.read("done-" + task.ID)
		step := scenario.StepReport{Number: 1, Verb: "expect", Text: "GET http://" + task.ID + "/", Outcome: scenario.Passed}
		if !done {
			step.Outcome = scenario.Failed
			step.Mismatches = []probe.Mismatch{{Field: "status", Expected: "200", Observed: "404"}}
		}
		state.Tasks = append(state.Tasks, lab.TaskState{ID: task.ID, Title: task.Title, Done: done, Steps: []scenario.StepReport{step}})
	}
	return state, nil
}

// Advise implements tutor.Session: a hint of three tiers for the fault, and a guide of one.
func (s *Session) Advise(_ context.Context, task string) ([]lab.Advice, error) {
	fault, _ := s.read("fault")
	finding := &diagnosis.Finding{Code: fault, Object: "door/" + task, Field: "spec.lock", Expected: "open", Observed: "shut " + fault}
	return []lab.Advice{
		{Hint: "locked", Finding: finding, Tiers: []string{"Is it locked?", "Look at its lock.", "Set spec.lock to open."}},
		{Tiers: []string{"Doors have handles."}},
	}, nil
}

// Pose implements tutor.Session.
func (s *Session) Pose(context.Context) (lab.Question, error) {
	return lab.Question{Text: "Who answers?", Choices: []string{"the cat", "the dog"}}, nil
}

// Grade implements tutor.Session: it is the dog.
func (s *Session) Grade(_ context.Context, choice string) (lab.Grade, error) {
	return lab.Grade{Choice: choice, Truth: "the dog", Right: choice == "the dog", Why: "Cats do not answer.", Evidence: "GET / was answered: woof"}, nil
}

// Host is a world around the session, whose progress is the file "progress.json" of its directory.
func (s *Session) Host() *tutor.Host {
	store := progress.NewStore(filepath.Join(s.Dir, "progress.json"))
	h := &tutor.Host{
		Files: files{},
		Up:    func(context.Context) (tutor.Session, error) { return s, errors.Join(s.Drop("down"), s.Drop("gone")) },
		Gone: func(context.Context) error {
			if why, found := s.read("gone"); found {
				return errors.New(why)
			}
			return nil
		},
		Store: func(ctx context.Context, r progress.Record) error { return store.Put(ctx, "doors", r) },
	}
	h.Use(s)
	return h
}

// files is a workspace in which nothing happens.
type files struct{}

func (files) See(context.Context, []string) []tutor.FileState { return nil }
func (files) PutSolution(string) ([]string, error) {
	return []string{"door.yaml is in your workspace now."}, nil
}
func (files) Reset() ([]string, error) { return nil, nil }
