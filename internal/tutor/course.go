package tutor

import (
	"slices"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
)

// Course is a lab and the pages of its lesson.
type Course struct {
	Lab   *lab.Lab
	Pages []Page // Pages are the pages of the lesson in order. Every task is on one page.
}

// Kind is the kind of a page.
type Kind int

// The kinds of pages.
const (
	LessonPage  Kind = iota // a part of the lesson, with or without tasks
	QuizPage                // QuizPage shows the quiz.
	SummaryPage             // SummaryPage shows the results and the next steps.
)

// Page is one page of a course.
type Page struct {
	Kind  Kind
	Title string
	Text  string   // Markdown without the title
	Tasks []string // the IDs of the page's tasks
}

// pages returns the pages of the lesson, the quiz, and the summary.
func (c Course) pages() []Page {
	all := slices.Clone(c.Pages)
	if c.Lab.Quiz != nil {
		all = append(all, Page{Kind: QuizPage, Title: "Quiz"})
	}
	return append(all, Page{Kind: SummaryPage, Title: "Summary"})
}

// findPage returns the index of the page with a title. It uses number if no title or several match.
func findPage(pages []Page, title string, number int) int {
	if number >= 0 && number < len(pages) && pages[number].Title == title {
		return number
	}
	if i := slices.IndexFunc(pages, func(p Page) bool { return p.Title == title }); i >= 0 {
		return i
	}
	return max(0, min(number, len(pages)-1))
}

// Quiz is the state of the quiz.
type Quiz struct {
	Question *lab.Question // nil until the cluster has provided the choices
	Grade    *lab.Grade    // the grade of the latest answer, or nil
	Err      error         // Err reports why the question or the grade is not available.
	asking   bool
}

func (t *Tutor) posed(e Posed) {
	t.quiz = Quiz{Err: e.Err}
	if e.Err == nil {
		t.quiz.Question = &e.Question
	}
}

// choose answers the quiz with the choice at an index.
func (t *Tutor) choose(i int) {
	q := t.quiz.Question
	switch {
	case t.pages[t.at].Kind != QuizPage:
		t.say(Info, "This page has no quiz.")
	case q == nil: // the question has not arrived yet
	case i < 0 || i >= len(q.Choices):
		t.say(Info, "There is no such choice.")
	case t.idle():
		t.busy = "getting the answer from the cluster ..."
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
