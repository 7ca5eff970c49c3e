package tutor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/progress"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/tutortest"
	"github.com/ingresslab/ingresslab/internal/tutor"
)

// student drives a Tutor whose effects a test answers by itself.
type student struct {
	*testing.T
	tutor *tutor.Tutor
	now   time.Time
	last  []tutor.Effect
	// looks and sleeps are how many are under way.
	looking bool
	sleep   *tutor.Sleep
	saved   progress.Record
}

func begin(t *testing.T, r progress.Record) *student {
	t.Helper()
	s := &student{T: t, tutor: tutor.New(tutortest.Course(), r), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.tell(tutor.Begin)
	return s
}

// tell gives the tutor an event, and watches that no two looks are ever under way.
func (s *student) tell(e tutor.Event) {
	s.Helper()
	if _, ok := e.(tutor.Polled); ok {
		s.looking = false
	}
	s.now = s.now.Add(time.Second)
	s.last = s.tutor.Update(s.now, e)
	for _, effect := range s.last {
		switch effect := effect.(type) {
		case tutor.Poll:
			if s.looking {
				s.Fatal("two looks at once")
			}
			s.looking = true
		case tutor.Sleep:
			s.sleep = &effect
		case tutor.Save:
			s.saved = effect.Record
		}
	}
}

// see answers a look: those tasks are done.
func (s *student) see(done ...string) {
	s.Helper()
	if !s.looking {
		s.tell(tutor.Woke{Seq: s.sleep.Seq})
	}
	if !s.looking {
		s.Fatal("nobody looks")
	}
	s.tell(tutor.Polled{State: state(done...)})
}

func state(done ...string) lab.State {
	var st lab.State
	for _, task := range tutortest.Course().Lab.Tasks {
		holds := strings.Contains(" "+strings.Join(done, " ")+" ", " "+task.ID+" ")
		step := scenario.StepReport{Outcome: scenario.Passed}
		if !holds {
			step = scenario.StepReport{Outcome: scenario.Failed, Mismatches: []probe.Mismatch{{Field: "status", Expected: "200", Observed: "404"}}}
		}
		st.Tasks = append(st.Tasks, lab.TaskState{ID: task.ID, Title: task.Title, Done: holds, Steps: []scenario.StepReport{step}})
	}
	return st
}

// effect returns the only effect of a kind that the last event had.
func effect[E tutor.Effect](s *student) E {
	s.Helper()
	var found []E
	for _, e := range s.last {
		if e, ok := e.(E); ok {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		var none E
		s.Fatalf("%d effects %T, want 1; all: %#v", len(found), none, s.last)
	}
	return found[0]
}

func has[E tutor.Effect](s *student) bool {
	for _, e := range s.last {
		if _, ok := e.(E); ok {
			return true
		}
	}
	return false
}

// standings writes how the tasks stand: . for open, + for done, - for lapsed.
func (s *student) standings() string {
	out := ""
	for _, task := range s.tutor.Tasks() {
		out += map[tutor.Status]string{tutor.Open: ".", tutor.Done: "+", tutor.Regressed: "-"}[task.Status]
	}
	return out
}

func (s *student) want(what, got, want string) {
	s.Helper()
	if got != want {
		s.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

// heard fails unless something with the text has been said.
func (s *student) heard(text string) {
	s.Helper()
	var all []string
	for _, n := range s.tutor.Notices() {
		if strings.Contains(n.Text, text) {
			return
		}
		all = append(all, n.Text)
	}
	s.Fatalf("nobody said %q; said was:\n%s", text, strings.Join(all, "\n"))
}

func (s *student) title() string {
	screen, _, _ := s.tutor.Page()
	return screen.Title
}
