package tutor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/progress"
	"github.com/ingresslab/ingresslab/internal/testing/tutortest"
	"github.com/ingresslab/ingresslab/internal/tutor"
)

// student drives a Tutor. The test answers its effects.
type student struct {
	*testing.T
	tutor   *tutor.Tutor
	now     time.Time
	last    []tutor.Effect
	polling bool // a poll is running
	sleep   *tutor.Sleep
	saved   progress.Record
}

func begin(t *testing.T, r progress.Record) *student {
	t.Helper()
	s := &student{T: t, tutor: tutor.New(tutortest.Course(), r), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.tell(tutor.Begin)
	return s
}

// tell sends the tutor an event, and fails if two polls run at once.
func (s *student) tell(e tutor.Event) {
	s.Helper()
	if _, ok := e.(tutor.Polled); ok {
		s.polling = false
	}
	s.now = s.now.Add(time.Second)
	s.last = s.tutor.Update(s.now, e)
	for _, effect := range s.last {
		switch effect := effect.(type) {
		case tutor.Poll:
			if s.polling {
				s.Fatal("two polls at once")
			}
			s.polling = true
		case tutor.Sleep:
			s.sleep = &effect
		case tutor.Save:
			s.saved = effect.Record
		}
	}
}

// see answers a poll: only the tasks with these IDs are done.
func (s *student) see(done ...string) {
	s.Helper()
	if !s.polling {
		s.tell(tutor.Woke{Seq: s.sleep.Seq})
	}
	if !s.polling {
		s.Fatal("the tutor does not poll")
	}
	s.tell(tutor.Polled{State: tutortest.State(done...)})
}

// effect returns the effect of a type that the last event caused. There must be exactly one.
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

// statuses writes one sign for each task: . for open, + for done, - for regressed.
func (s *student) statuses() string {
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

// heard fails unless a notice contains the text.
func (s *student) heard(text string) {
	s.Helper()
	var all []string
	for _, n := range s.tutor.Notices() {
		if strings.Contains(n.Text, text) {
			return
		}
		all = append(all, n.Text)
	}
	s.Fatalf("no notice contains %q; notices:\n%s", text, strings.Join(all, "\n"))
}

func (s *student) title() string {
	page, _, _ := s.tutor.Page()
	return page.Title
}
