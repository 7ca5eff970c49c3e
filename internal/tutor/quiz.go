package tutor

import (
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
)

// Quiz is how far the question at the end is.
type Quiz struct {
	// Question is nil until it has been asked.
	Question *lab.Question
	// Grade is the cluster's answer to the last choice; nil before there was one.
	Grade *lab.Grade
	// Err says why the question or the answer cannot be had.
	Err    error
	asking bool
}

func (t *Tutor) posed(e Posed) {
	t.quiz = Quiz{Err: e.Err}
	if e.Err == nil {
		t.quiz.Question = &e.Question
	}
}

// choose answers the question with one of the choices.
func (t *Tutor) choose(i int) {
	q := t.quiz.Question
	if t.pages[t.at].Kind != Asking {
		t.say(Plainly, "There is no question on this screen.")
		return
	}
	if q == nil {
		return // it is being asked
	}
	if i < 0 || i >= len(q.Choices) {
		t.say(Plainly, "There is no such choice.")
		return
	}
	if t.idle() {
		t.busy = "asking the cluster ..."
		t.do(Grade{q.Choices[i]})
	}
}

func (t *Tutor) graded(e Graded) {
	t.busy = ""
	t.quiz.Err = e.Err
	if e.Err != nil {
		return
	}
	t.quiz.Grade = &e.Grade
	t.record.Quiz = &progress.Quiz{Choice: e.Grade.Choice, Truth: e.Grade.Truth, Right: e.Grade.Right, At: t.now}
	t.save()
}
