package tutor

import (
	"fmt"
	"strings"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// HintView is the open hint.
type HintView struct {
	Task   string   // the ID of the task
	Why    string   // Why says what is wrong. It is empty if it would repeat the task's own line.
	Opened []string // the open levels, the latest last
	Levels int      // the number of levels
	More   bool     // reports whether another hint follows
	Stale  bool     // reports whether something changed since the hint was given

	key     string // identifies the problem
	index   int    // the index of the hint in the advice
	failure string // why the task was not done when the hint was given
}

func (t *Tutor) askHint() {
	id := t.Present()
	switch {
	case t.Broken():
		t.say(Info, "Something is missing. First restore it with restore (R).")
	case id == "" && t.PageDone():
		t.say(Info, "No task on this page needs a hint.")
	case !t.polled:
		t.say(Info, "The tasks are not checked yet.")
	default:
		t.do(Advise{id})
	}
}

func (t *Tutor) advised(e Advised) {
	if e.Task != t.Present() {
		return // the task is done, or the student turned the page
	}
	if e.Err != nil {
		t.say(Bad, "Cannot get a hint: "+e.Err.Error())
		return
	}
	if len(e.Advice) == 0 || len(e.Advice[0].Levels) == 0 {
		t.say(Info, "There is no hint; why (o) shows the expected and the actual result.")
		return
	}
	h := t.hint
	switch {
	case h == nil || h.Task != e.Task || len(t.advice) == 0 || keyOf(e.Advice[0]) != keyOf(t.advice[0]):
		t.advice = e.Advice
		t.hint = openHint(e.Task, e.Advice, 0, 1)
	case len(h.Opened) < h.Levels:
		t.hint = openHint(e.Task, t.advice, h.index, len(h.Opened)+1)
	case h.index+1 < len(t.advice):
		t.hint = openHint(e.Task, t.advice, h.index+1, 1)
	default:
		t.say(Info, "That was the last hint; solve (s) solves the task for you.")
		return
	}
	t.hint.failure = t.failureOf(e.Task)
	r := t.record.Tasks[e.Task]
	r.Hints++
	t.record.Tasks[e.Task] = r
	t.save()
}

// failureOf identifies a failure by the parts that are the same in each poll.
func (t *Tutor) failureOf(id string) string {
	steps := t.tasks[id].Steps
	if len(steps) == 0 || len(steps[len(steps)-1].Mismatches) == 0 {
		return ""
	}
	m := steps[len(steps)-1].Mismatches[0]
	word, _, _ := strings.Cut(m.Observed, " ")
	return fmt.Sprint(len(steps), m.Field, word)
}

// openHint opens the first levels of the hint at an index.
func openHint(task string, advice []lab.Advice, index, levels int) *HintView {
	a := advice[index]
	levels = min(levels, len(a.Levels))
	h := &HintView{
		Task: task, Opened: a.Levels[:levels], Levels: len(a.Levels), More: index+1 < len(advice), key: keyOf(a), index: index,
	}
	if f := a.Finding; f != nil {
		h.Why = f.Text
		if f.Expected != "" && f.Observed != "" {
			h.Why = fmt.Sprintf("%s: expected %s, found %s", strings.TrimSpace(f.Object+" "+f.Field), f.Expected, f.Observed)
		}
	}
	return h
}

// keyOf identifies the problem that an advice is about.
func keyOf(a lab.Advice) string {
	if a.Finding != nil {
		return fmt.Sprint(a.Hint, " ", a.Finding.Code, " ", a.Finding.Object, " ", a.Finding.Field)
	}
	return "hint " + a.Hint
}
