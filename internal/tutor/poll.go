package tutor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
)

const (
	// quick is the time between two looks while something happens, slow the longest while nothing does.
	quick = 500 * time.Millisecond
	slow  = 3 * time.Second
	// patience is for how many looks nothing has to happen before they become slower.
	patience = 20
	// lapseAfter is how many looks in a row a task has to be undone for that to be said: one may have met a moment.
	lapseAfter = 2
)

// pace decides when to look. There is one look at most at a time, and one sleep that counts.
type pace struct {
	looking bool
	again   bool // look at once when this look is over
	paused  bool
	seq     int // the sleep that counts
	every   time.Duration
	same    int // looks that saw the same
	last    string
}

// lookNow looks as soon as possible, and quickly from then on.
func (t *Tutor) lookNow() {
	p := &t.pace
	p.every, p.same = quick, 0
	switch {
	case p.paused:
	case p.looking:
		p.again = true
	default:
		p.seq++
		p.looking = true
		t.do(Poll{})
	}
}

func (t *Tutor) woke(seq int) {
	p := &t.pace
	if seq != p.seq || p.looking || p.paused {
		return
	}
	p.looking = true
	t.do(Poll{})
}

// pause keeps looks away while something is taken apart, and resume goes on.
func (t *Tutor) pause() { t.pace.paused = true }

func (t *Tutor) resume() {
	t.pace.paused = false
	t.lookNow()
}

// sleep arranges the next look.
func (t *Tutor) sleep(sight string) {
	p := &t.pace
	p.looking = false
	if p.paused {
		p.again = false
		return
	}
	if p.again {
		p.again = false
		t.lookNow()
		return
	}
	if p.same++; sight != p.last {
		p.last, p.same, p.every = sight, 0, quick
	}
	if p.same > patience {
		p.every = min(p.every*5/4, slow)
	}
	p.seq++
	t.do(Sleep{For: max(p.every, quick), Seq: p.seq})
}

func (t *Tutor) looked(e Polled) {
	if t.pace.paused { // what it saw is being changed
		t.sleep("")
		return
	}
	if e.Err != nil {
		t.unanswered(e)
		t.sleep(fmt.Sprint("outage ", e.Gone))
		return
	}
	if t.outage != nil {
		t.outage = nil
		t.sayAbout(AboutTrouble, Good, "The API server answers again.")
	}
	t.losses(e.State.Missing)
	if !slices.ContainsFunc(t.lost, func(l lab.Missing) bool { return l.What != lab.MissingStart }) {
		t.sight(e.State.Tasks)
	}
	t.sleep(signature(e.State))
	t.restoreMore()
	if names := t.pending(); len(names) > 0 {
		t.do(SeeFiles{names})
	}
}

// unanswered keeps since when the cluster has not answered.
func (t *Tutor) unanswered(e Polled) {
	if t.outage == nil {
		t.outage = &Outage{Since: t.now}
	}
	first := t.outage.Err == nil
	worse := e.Gone && !t.outage.Gone
	t.outage.Err, t.outage.Gone = e.Err, e.Gone
	if first || worse {
		t.sayAbout(AboutTrouble, Bad, t.OutageText())
	}
}

// losses takes in what is gone, and says what that changes.
func (t *Tutor) losses(lost []lab.Missing) {
	for _, l := range lost {
		if !slices.ContainsFunc(t.lost, func(known lab.Missing) bool { return known.Text == l.Text }) {
			t.sayAbout(AboutTrouble, Bad, lossText(l))
		}
	}
	if len(lost) == 0 && len(t.lost) > 0 {
		t.sayAbout(AboutTrouble, Good, "Everything that the lab needs is there again.")
	}
	if t.lost = lost; t.Broken() {
		t.hint = nil // what it was about is gone, too
	}
}

func lossText(l lab.Missing) string {
	return strings.TrimRight(upperFirst(l.Text), ".") + "."
}

// sight takes in what one look saw of the tasks.
func (t *Tutor) sight(tasks []lab.TaskState) {
	for _, state := range tasks {
		t.tasks[state.ID] = state
		was, ticked := t.record.Tasks[state.ID]
		ticked = ticked && !was.Done.IsZero()
		switch {
		case state.Done && !ticked:
			t.tick(state.ID, false)
		case state.Done && t.lapses[state.ID] >= lapseAfter && t.seen:
			t.say(Good, "✓ Again: "+t.task(state.ID).Title)
			t.lapses[state.ID] = 0
		case state.Done:
			t.lapses[state.ID] = 0
		case ticked && !t.task(state.ID).Transient:
			if t.lapses[state.ID]++; t.lapses[state.ID] == lapseAfter && t.seen {
				t.say(Bad, "Was done, and is not anymore: "+t.task(state.ID).Title)
			} else if !t.seen {
				t.lapses[state.ID] = lapseAfter // from another day: the list of tasks says it
			}
		}
	}
	t.seen = true
	t.age()
}

// tick remembers that a task was done.
func (t *Tutor) tick(id string, solved bool) {
	was := t.record.Tasks[id]
	if !was.Done.IsZero() && !solved {
		return
	}
	t.lapses[id] = 0
	t.record.Tasks[id] = progress.Task{Done: t.now, Solved: solved || was.Solved, Hints: was.Hints}
	mark := "✓ "
	if solved {
		mark = "✓ Solved for you: "
	}
	t.say(Good, mark+t.task(id).Title)
	if t.hint != nil && t.hint.Task == id {
		t.hint = nil
	}
	if t.AllDone() && t.record.Finished == nil {
		finished := t.now
		t.record.Finished = &finished
	}
	if screen := t.pages[t.at]; slices.Contains(screen.Tasks, id) && t.complete(screen) && !t.task(id).PassesAtStart {
		t.say(Good, "That is all on this screen.")
	}
	t.save()
}

// complete tells whether every task of a screen was done.
func (t *Tutor) complete(s Page) bool {
	return !slices.ContainsFunc(s.Tasks, func(id string) bool { return t.record.Tasks[id].Done.IsZero() })
}

// signature is equal for two looks that saw the same.
func signature(s lab.State) string {
	var b strings.Builder
	for _, task := range s.Tasks {
		fmt.Fprintln(&b, task.ID, task.Done, whyNot(task))
	}
	for _, l := range s.Missing {
		fmt.Fprintln(&b, l.What, l.Text)
	}
	return b.String()
}

// whyNot says in a line what a task lacks; nothing if it is done.
func whyNot(task lab.TaskState) string {
	if task.Done || len(task.Steps) == 0 {
		return ""
	}
	return task.Steps[len(task.Steps)-1].Why()
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
