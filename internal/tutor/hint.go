package tutor

import (
	"fmt"
	"strings"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
)

// HintView is a hint as far as it has been opened.
type HintView struct {
	// Task is what it is for.
	Task string
	// Why says what was seen; empty if there is nothing to add to what the task says.
	Why string
	// Opened are the tiers that have been opened, the last one last; Tiers is how many there are.
	Opened []string
	Tiers  int
	// More says that another hint comes after this one.
	More bool
	// Stale says that something has changed since: the fault may be another one by now.
	Stale bool

	key   string // which fault it answers
	index int    // in the advice
	sight string // what the task lacked when it was given
}

func (t *Tutor) askHint() {
	id := t.Present()
	switch {
	case t.Broken():
		t.say(Plainly, "First bring back what is gone: restore (R).")
	case id == "" && t.complete(t.pages[t.at]):
		t.say(Plainly, "There is nothing to do on this screen that needs a hint.")
	case !t.seen:
		t.say(Plainly, "The cluster has not been looked at yet.")
	default:
		t.do(Advise{id})
	}
}

func (t *Tutor) advised(e Advised) {
	if e.Task != t.Present() {
		return // done in the meantime, or the page was turned
	}
	if e.Err != nil {
		t.say(Bad, "There is no hint: "+e.Err.Error())
		return
	}
	if len(e.Advice) == 0 || len(e.Advice[0].Tiers) == 0 {
		t.say(Plainly, "There is no hint for this; why (o) shows what was expected and seen.")
		return
	}
	h := t.hint
	switch {
	case h == nil || h.Task != e.Task || len(t.advice) == 0 || keyOf(e.Advice[0]) != keyOf(t.advice[0]):
		t.advice = e.Advice
		t.hint = open(e.Task, e.Advice, 0, 1)
	case len(h.Opened) < h.Tiers:
		t.hint = open(e.Task, t.advice, h.index, len(h.Opened)+1)
	case h.index+1 < len(t.advice):
		t.hint = open(e.Task, t.advice, h.index+1, 1)
	default:
		t.say(Plainly, "That was the last hint; solve (s) does the task for you.")
		return
	}
	t.hint.sight = t.sightOf(e.Task)
	t.countHint(e.Task)
}

// sightOf tells apart the ways in which a task is not done: by the field and the first word of what was seen there, since
// the rest may be another one with each look.
func (t *Tutor) sightOf(id string) string {
	steps := t.tasks[id].Steps
	if len(steps) == 0 || len(steps[len(steps)-1].Mismatches) == 0 {
		return ""
	}
	m := steps[len(steps)-1].Mismatches[0]
	word, _, _ := strings.Cut(m.Observed, " ")
	return fmt.Sprint(len(steps), m.Field, word)
}

// age makes a hint stale whose task lacks something else by now.
func (t *Tutor) age() {
	if t.hint != nil && t.sightOf(t.hint.Task) != t.hint.sight {
		t.hint.Stale = true
	}
}

// open returns the hint of an index with that many tiers.
func open(task string, advice []lab.Advice, index, tiers int) *HintView {
	a := advice[index]
	tiers = min(tiers, len(a.Tiers))
	h := &HintView{
		Task: task, Opened: a.Tiers[:tiers], Tiers: len(a.Tiers), More: index+1 < len(advice), key: keyOf(a), index: index,
	}
	if f := a.Finding; f != nil {
		h.Why = f.Text
		if f.Expected != "" && f.Observed != "" {
			h.Why = fmt.Sprintf("%s: expected %s, found %s", where(f.Object, f.Field), f.Expected, f.Observed)
		}
	}
	return h
}

func where(object, field string) string {
	if field == "" {
		return object
	}
	return object + " " + field
}

// keyOf tells one fault from another.
func keyOf(a lab.Advice) string {
	if a.Finding != nil {
		return fmt.Sprint(a.Hint, " ", a.Finding.Code, " ", a.Finding.Object, " ", a.Finding.Field)
	}
	return "hint " + a.Hint
}

// countHint remembers how much help a task took.
func (t *Tutor) countHint(id string) {
	was := t.record.Tasks[id]
	t.record.Tasks[id] = progress.Task{Done: was.Done, Solved: was.Solved, Hints: was.Hints + 1}
	t.save()
}
