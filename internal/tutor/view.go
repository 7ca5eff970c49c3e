package tutor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// Status is the status of a task.
type Status int

// The statuses.
const (
	Open      Status = iota // Open means that the task was never done.
	Done                    // Done means that the task was done. Its check still passes, unless the task is transient.
	Regressed               // Regressed means that the task was done, but its check no longer passes.
)

// TaskView is a task for display.
type TaskView struct {
	ID, Title string
	Status    Status
	// Why says in one line why the task is not done. It is empty for a done or an unchecked task.
	Why string
	// Here reports whether the task is on the current page, Present whether it is the current task.
	Here, Present bool
}

// Lab returns the lab.
func (t *Tutor) Lab() *lab.Lab { return t.lab }

// Page returns the current page, its number from 1, and the number of pages.
func (t *Tutor) Page() (p Page, number, total int) {
	return t.pages[t.at], t.at + 1, len(t.pages)
}

// Tasks returns all tasks of the lab.
func (t *Tutor) Tasks() []TaskView {
	var views []TaskView
	present := t.Present()
	for _, task := range t.lab.Tasks {
		v := TaskView{
			ID: task.ID, Title: task.Title, Status: t.status(task.ID), Present: task.ID == present,
			Here: slices.Contains(t.pages[t.at].Tasks, task.ID),
		}
		if v.Status != Done && !t.Broken() {
			v.Why = failureText(t.tasks[task.ID])
		}
		views = append(views, v)
	}
	return views
}

func (t *Tutor) status(id string) Status {
	switch {
	case !t.isDone(id):
		return Open
	case t.undone[id] >= regressedAfter:
		return Regressed
	}
	return Done
}

// Present returns the ID of the page's first open task, or else of its first regressed task, or "".
func (t *Tutor) Present() string {
	for _, status := range []Status{Open, Regressed} {
		for _, id := range t.pages[t.at].Tasks {
			if t.status(id) == status {
				return id
			}
		}
	}
	return ""
}

// PageDone reports whether every task of the page was done. The page can have no tasks.
func (t *Tutor) PageDone() bool { return t.complete(t.pages[t.at]) }

// AllDone reports whether every task of the lab was done.
func (t *Tutor) AllDone() bool {
	return !slices.ContainsFunc(t.lab.Tasks, func(task lab.Task) bool { return !t.isDone(task.ID) })
}

// RegressedEarlier returns the titles of the regressed tasks on earlier pages.
func (t *Tutor) RegressedEarlier() []string {
	var titles []string
	for _, page := range t.pages[:t.at] {
		for _, id := range page.Tasks {
			if t.status(id) == Regressed {
				titles = append(titles, t.task(id).Title)
			}
		}
	}
	return titles
}

// Polled reports whether a poll has succeeded.
func (t *Tutor) Polled() bool { return t.polled }

// Busy describes the operation in progress. It is empty if there is none.
func (t *Tutor) Busy() string { return t.busy }

// Prompt returns the prompt that waits for Yes or No, or nil.
func (t *Tutor) Prompt() *Prompt { return t.prompt }

// HintView returns the open hint, or nil.
func (t *Tutor) HintView() *HintView { return t.hint }

// Quiz returns the state of the quiz.
func (t *Tutor) Quiz() Quiz { return t.quiz }

// Notices returns all notices, the oldest first. The list only grows.
func (t *Tutor) Notices() []Notice { return t.notices }

// Broken reports whether the cluster or a required object is missing.
func (t *Tutor) Broken() bool { return t.outage != nil || len(t.missing) > 0 }

// Problems lists what is missing and how to restore it, one line each.
func (t *Tutor) Problems() []string {
	if t.outage != nil {
		return []string{t.outageText(), "restore (R) starts it again. Your progress and your files are safe."}
	}
	var lines []string
	for _, m := range t.missing {
		lines = append(lines, sentence(m.Text))
		if m.Fix != "" {
			lines = append(lines, "restore (R): "+m.Fix+".")
		}
	}
	return lines
}

func (t *Tutor) outageText() string {
	since, err := t.outage.Since.Format("15:04:05"), t.outage.Err
	if t.outage.Gone {
		return fmt.Sprintf("The cluster no longer exists (detected at %s): %v.", since, err)
	}
	var unreachable *lab.UnreachableError
	if errors.As(err, &unreachable) {
		err = unreachable.Cause
	}
	return fmt.Sprintf("The API server has not answered since %s; retrying: %v.", since, err)
}

// FileLines lists what the student should know about the files, one line each.
func (t *Tutor) FileLines() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		lines = append(lines, t.files[name].lines()...)
	}
	return lines
}

// Details returns the latest results of the current task or, without one, of all tasks of the page.
func (t *Tutor) Details() []string {
	ids := t.pages[t.at].Tasks
	if id := t.Present(); id != "" {
		ids = []string{id}
	}
	var lines []string
	for _, id := range ids {
		state, checked := t.tasks[id]
		lines = append(lines, t.task(id).Title)
		if !checked {
			lines = append(lines, "  not checked yet")
		}
		for _, step := range state.Steps {
			lines = append(lines, stepLines(step)...)
		}
		lines = append(lines, "")
	}
	if len(ids) == 0 {
		lines = append(lines, "This page has no tasks.")
	}
	return lines
}

func stepLines(s scenario.StepReport) []string {
	mark := "✗ "
	if s.Outcome == scenario.Passed {
		mark = "✓ "
	}
	lines := []string{"  " + mark + s.Text}
	for _, m := range s.Mismatches {
		lines = append(lines, "      "+m.Field, "        expected "+m.Expected, "        observed "+m.Observed)
	}
	for _, note := range []string{s.Summary, s.Error, s.Note} {
		for line := range strings.Lines(note) {
			lines = append(lines, "      "+strings.TrimRight(line, "\n"))
		}
	}
	if s.Answer != nil && s.Outcome != scenario.Passed {
		lines = append(lines, fmt.Sprintf("      response %d in %.1f ms", s.Answer.Status, s.Answer.Milliseconds))
		if s.Answer.Reason != "" {
			lines = append(lines, "      controller: "+s.Answer.Reason)
		}
	}
	return lines
}

// Summary returns the results of the lab in Markdown.
func (t *Tutor) Summary() string {
	var b strings.Builder
	done, solved := 0, 0
	for _, task := range t.lab.Tasks {
		if t.isDone(task.ID) {
			done++
			if t.record.Tasks[task.ID].Solved {
				solved++
			}
		}
	}
	fmt.Fprintf(&b, "You completed %d of %s", done, text.Count(len(t.lab.Tasks), "task"))
	if solved > 0 {
		fmt.Fprintf(&b, "; the tutor solved %d of them", solved)
	}
	b.WriteString(".\n")
	if q := t.record.Quiz; q != nil {
		verdict := "which is right"
		if !q.Right {
			verdict = fmt.Sprintf("but the right answer is **%s**", q.Truth)
		}
		fmt.Fprintf(&b, "\nYour quiz answer was **%s**, %s.\n", q.Choice, verdict)
	}
	t.list(&b, "Still open:", Open)
	t.list(&b, "No longer done:", Regressed)
	if t.lab.Scenario != "" {
		fmt.Fprintf(&b, "\nTo test the topic in depth, run `ingresslab run %s`.\n", t.lab.Scenario)
	}
	fmt.Fprintf(&b, "\nYour objects keep running in namespace %s. Explore them, or reset the lab to start over.\n", t.lab.Namespace)
	return b.String()
}

// list writes the tasks with a status under a heading, in Markdown.
func (t *Tutor) list(b *strings.Builder, heading string, status Status) {
	for _, task := range t.lab.Tasks {
		if t.status(task.ID) != status {
			continue
		}
		if heading != "" {
			fmt.Fprintf(b, "\n%s\n\n", heading)
			heading = ""
		}
		fmt.Fprintf(b, "- %s\n", task.Title)
	}
}

// GradeLines returns the grade with its explanation, one line each.
func GradeLines(g lab.Grade) []string {
	lines := []string{fmt.Sprintf("Right: the answer is %s.", g.Truth)}
	if !g.Right {
		lines[0] = fmt.Sprintf("You chose %s; the right answer is %s.", g.Choice, g.Truth)
	}
	for _, line := range []string{g.Why, g.Evidence} {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
