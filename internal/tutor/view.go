package tutor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Status is how a task stands.
type Status int

// The standings.
const (
	// Open was never done.
	Open Status = iota
	// Done was done, and holds still unless it is transient.
	Done
	// Regressed was done, and does not hold anymore.
	Regressed
)

// TaskView is a task as it is shown.
type TaskView struct {
	ID, Title string
	Status    Status
	// Why is what it lacks, in a line; empty if it is done or has not been looked at.
	Why string
	// Here says that it belongs to the present screen, Present that it is the one to do now.
	Here, Present bool
}

// Lab returns the lab.
func (t *Tutor) Lab() *lab.Lab { return t.lab }

// Page returns what is read now, which of how many it is, counted from 1.
func (t *Tutor) Page() (s Page, number, total int) {
	return t.pages[t.at], t.at + 1, len(t.pages)
}

// Tasks returns all tasks of the lab.
func (t *Tutor) Tasks() []TaskView {
	var views []TaskView
	present := t.Present()
	for _, task := range t.lab.Tasks {
		v := TaskView{
			ID: task.ID, Title: task.Title, Status: t.standing(task.ID), Present: task.ID == present,
			Here: slices.Contains(t.pages[t.at].Tasks, task.ID),
		}
		if v.Status != Done && !t.Broken() {
			v.Why = whyNot(t.tasks[task.ID])
		}
		views = append(views, v)
	}
	return views
}

func (t *Tutor) standing(id string) Status {
	switch {
	case t.record.Tasks[id].Done.IsZero():
		return Open
	case t.lapses[id] >= lapseAfter:
		return Regressed
	}
	return Done
}

// Present returns the id of the screen's task to do now; empty if all are done.
func (t *Tutor) Present() string {
	for _, wanted := range []Status{Open, Regressed} {
		for _, id := range t.pages[t.at].Tasks {
			if t.standing(id) == wanted {
				return id
			}
		}
	}
	return ""
}

// ScreenDone tells whether every task of the screen was done; there may be none.
func (t *Tutor) ScreenDone() bool { return t.complete(t.pages[t.at]) }

// AllDone tells whether every task of the lab was done.
func (t *Tutor) AllDone() bool {
	return !slices.ContainsFunc(t.lab.Tasks, func(task lab.Task) bool { return t.record.Tasks[task.ID].Done.IsZero() })
}

// Elsewhere returns the titles of the tasks on earlier pages that were done and do not hold anymore.
func (t *Tutor) Elsewhere() []string {
	var titles []string
	for _, screen := range t.pages[:t.at] {
		for _, id := range screen.Tasks {
			if t.standing(id) == Regressed {
				titles = append(titles, t.task(id).Title)
			}
		}
	}
	return titles
}

// Polled tells whether the cluster has been seen.
func (t *Tutor) Polled() bool { return t.seen }

// Busy says what is going on; empty if nothing is.
func (t *Tutor) Busy() string { return t.busy }

// Asked returns the question that waits for Yes or No; nil if there is none.
func (t *Tutor) Asked() *Question { return t.question }

// HintView returns the hint that is open; nil if none is.
func (t *Tutor) HintView() *HintView { return t.hint }

// Quiz returns how far the question at the end is.
func (t *Tutor) Quiz() Quiz { return t.quiz }

// Notices returns everything that was said, the oldest first. It only grows.
func (t *Tutor) Notices() []Notice { return t.notices }

// Broken tells whether something is gone that has to be there.
func (t *Tutor) Broken() bool { return t.outage != nil || len(t.lost) > 0 }

// Trouble says what is gone and how to get it back, a line each; nothing if all is well.
func (t *Tutor) Trouble() []string {
	if t.outage != nil {
		return []string{t.OutageText(), "restore (R) brings it up again. Your progress and your files are safe."}
	}
	var lines []string
	for _, l := range t.lost {
		lines = append(lines, lossText(l))
		if l.Fix != "" {
			lines = append(lines, "restore (R): "+l.Fix+".")
		}
	}
	return lines
}

// OutageText says since when the API server has not answered.
func (t *Tutor) OutageText() string {
	switch {
	case t.outage == nil:
		return ""
	case t.outage.Gone:
		return fmt.Sprintf("The cluster is gone (noticed at %s): %v.", t.outage.Since.Format("15:04:05"), t.outage.Err)
	}
	err := t.outage.Err
	var unreachable *lab.UnreachableError
	if errors.As(err, &unreachable) {
		err = unreachable.Cause
	}
	return fmt.Sprintf("The API server has not answered since %s, it is asked again and again: %v.", t.outage.Since.Format("15:04:05"), err)
}

// FileLines says what is the matter with the student's files, a line each.
func (t *Tutor) FileLines() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		lines = append(lines, fileLines(t.files[name])...)
	}
	return lines
}

// Details says everything that the last look knows about the present task, or about all of the screen if none is left to do.
func (t *Tutor) Details() []string {
	ids := []string{t.Present()}
	if ids[0] == "" {
		ids = t.pages[t.at].Tasks
	}
	var lines []string
	for _, id := range ids {
		state, seen := t.tasks[id]
		lines = append(lines, t.task(id).Title)
		if !seen {
			lines = append(lines, "  not looked at yet")
		}
		for _, step := range state.Steps {
			lines = append(lines, stepLines(step)...)
		}
		lines = append(lines, "")
	}
	if len(ids) == 0 {
		lines = append(lines, "There is no task on this screen.")
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
	for _, text := range []string{s.Summary, s.Error, s.Note} {
		for line := range strings.Lines(text) {
			lines = append(lines, "      "+strings.TrimRight(line, "\n"))
		}
	}
	if s.Answer != nil && s.Outcome != scenario.Passed {
		lines = append(lines, fmt.Sprintf("      answered with %d in %.1f ms", s.Answer.Status, s.Answer.Milliseconds))
		if s.Answer.Reason != "" {
			lines = append(lines, "      the controller says: "+s.Answer.Reason)
		}
	}
	return lines
}

// Summary says how the lab went, for its last screen, in Markdown.
func (t *Tutor) Summary() string {
	var b strings.Builder
	done, solved := 0, 0
	for _, task := range t.lab.Tasks {
		if r := t.record.Tasks[task.ID]; !r.Done.IsZero() {
			done++
			if r.Solved {
				solved++
			}
		}
	}
	fmt.Fprintf(&b, "%d of %d tasks are done", done, len(t.lab.Tasks))
	if solved > 0 {
		fmt.Fprintf(&b, ", %d of them by the tutor", solved)
	}
	b.WriteString(".\n")
	if q := t.record.Quiz; q != nil {
		verdict := "which was right"
		if !q.Right {
			verdict = fmt.Sprintf("and the cluster's was **%s**", q.Truth)
		}
		fmt.Fprintf(&b, "\nYour answer to the question was **%s**, %s.\n", q.Choice, verdict)
	}
	t.list(&b, "Open are still:", Open)
	t.list(&b, "Done, and not so any more:", Regressed)
	if t.lab.Scenario != "" {
		fmt.Fprintf(&b, "\n`ingresslab run %s` tests the same in depth. ", t.lab.Scenario)
	}
	fmt.Fprintf(&b, "\nWhat you have made keeps running in namespace %s: look around, or reset to begin again.\n", t.lab.Namespace)
	return b.String()
}

// list writes the tasks that stand so under a heading, in Markdown; nothing if there are none.
func (t *Tutor) list(b *strings.Builder, heading string, standing Status) {
	tasks := slices.DeleteFunc(slices.Clone(t.lab.Tasks), func(task lab.Task) bool { return t.standing(task.ID) != standing })
	if len(tasks) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n\n", heading)
	for _, task := range tasks {
		fmt.Fprintf(b, "- %s\n", task.Title)
	}
}

// GradeLines says what the cluster answered, a line each.
func GradeLines(g lab.Grade) []string {
	verdict := fmt.Sprintf("Right: it is %s.", g.Truth)
	if !g.Right {
		verdict = fmt.Sprintf("You said %s; the cluster says %s.", g.Choice, g.Truth)
	}
	lines := []string{verdict}
	for _, text := range []string{g.Why, g.Evidence} {
		if text = strings.TrimSpace(text); text != "" {
			lines = append(lines, text)
		}
	}
	return lines
}
