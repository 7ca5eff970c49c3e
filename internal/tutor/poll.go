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
	quick       = 500 * time.Millisecond // the interval between polls while something changes
	slow        = 3 * time.Second        // the longest interval while nothing changes
	steadyAfter = 20                     // the number of equal polls after which polling slows down
	// regressedAfter is the number of failed polls in a row that make a finished task regressed.
	regressedAfter = 2
)

// pace schedules polls: at most one poll runs at a time, and only the latest sleep counts.
type pace struct {
	polling bool
	again   bool // poll again when this poll ends
	paused  bool // an operation is changing what polls check
	seq     int  // the number of the latest sleep
	every   time.Duration
	same    int // consecutive equal polls
	last    string
}

// pollNow polls as soon as possible and returns to the quick interval.
func (t *Tutor) pollNow() {
	p := &t.pace
	p.every, p.same = quick, 0
	switch {
	case p.paused:
	case p.polling:
		p.again = true
	default:
		p.seq++
		p.polling = true
		t.do(Poll{})
	}
}

func (t *Tutor) woke(seq int) {
	p := &t.pace
	if seq != p.seq || p.polling || p.paused {
		return
	}
	p.polling = true
	t.do(Poll{})
}

func (t *Tutor) resume() {
	t.pace.paused = false
	t.pollNow()
}

// sleep schedules the next poll. result describes the result of the last poll.
func (t *Tutor) sleep(result string) {
	p := &t.pace
	p.polling = false
	if p.paused {
		p.again = false
		return
	}
	if p.again {
		p.again = false
		t.pollNow()
		return
	}
	if p.same++; result != p.last {
		p.last, p.same, p.every = result, 0, quick
	}
	if p.same > steadyAfter {
		p.every = min(p.every*5/4, slow)
	}
	p.seq++
	t.do(Sleep{For: max(p.every, quick), Seq: p.seq})
}

func (t *Tutor) handlePoll(e Polled) {
	if t.pace.paused { // the result is outdated
		t.sleep("")
		return
	}
	if e.Err != nil {
		t.noteOutage(e)
		t.sleep(fmt.Sprint("outage ", e.Gone))
		return
	}
	if t.outage != nil {
		t.outage = nil
		t.sayAbout(AboutCluster, Good, "The API server answers again.")
	}
	t.noteMissing(e.State.Missing)
	if !slices.ContainsFunc(t.missing, func(m lab.Missing) bool { return m.What != lab.MissingStart }) {
		t.noteTasks(e.State.Tasks)
	}
	t.sleep(signature(e.State))
	t.restoreStart()
	if names := t.pending(); len(names) > 0 {
		t.do(SeeFiles{names})
	}
}

// noteOutage records an outage and reports its start, and later that the cluster is gone.
func (t *Tutor) noteOutage(e Polled) {
	if t.outage == nil {
		t.outage = &Outage{Since: t.now}
	}
	isNew := t.outage.Err == nil || e.Gone && !t.outage.Gone
	t.outage.Err, t.outage.Gone = e.Err, e.Gone
	if isNew {
		t.sayAbout(AboutCluster, Bad, t.outageText())
	}
}

// noteMissing records the missing parts and reports changes.
func (t *Tutor) noteMissing(missing []lab.Missing) {
	for _, m := range missing {
		if !slices.ContainsFunc(t.missing, func(known lab.Missing) bool { return known.Text == m.Text }) {
			t.sayAbout(AboutCluster, Bad, sentence(m.Text))
		}
	}
	if len(missing) == 0 && len(t.missing) > 0 {
		t.sayAbout(AboutCluster, Good, "Everything that the lab needs is restored.")
	}
	if t.missing = missing; t.Broken() {
		t.hint = nil // the hint might be about a missing object
	}
}

// noteTasks records the states of the tasks and reports changes.
func (t *Tutor) noteTasks(tasks []lab.TaskState) {
	for _, state := range tasks {
		t.tasks[state.ID] = state
		wasDone := t.isDone(state.ID)
		switch {
		case state.Done && !wasDone:
			t.markDone(state.ID, false)
		case state.Done:
			if t.undone[state.ID] >= regressedAfter && t.polled {
				t.say(Good, "✓ Done again: "+t.task(state.ID).Title)
			}
			t.undone[state.ID] = 0
		case wasDone && !t.task(state.ID).Transient && !t.polled:
			t.undone[state.ID] = regressedAfter // regressed in an earlier session; the list of tasks shows it
		case wasDone && !t.task(state.ID).Transient:
			if t.undone[state.ID]++; t.undone[state.ID] == regressedAfter {
				t.say(Bad, "No longer done: "+t.task(state.ID).Title)
			}
		}
	}
	t.polled = true
	// A hint is stale once its task fails for a different reason.
	if t.hint != nil && t.failureOf(t.hint.Task) != t.hint.failure {
		t.hint.Stale = true
	}
}

// markDone records that a task is done. solved reports whether the tutor solved it.
func (t *Tutor) markDone(id string, solved bool) {
	was := t.record.Tasks[id]
	if !was.Done.IsZero() && !solved {
		return
	}
	t.undone[id] = 0
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
		t.record.Finished = new(t.now)
	}
	page := t.pages[t.at]
	if was.Done.IsZero() && slices.Contains(page.Tasks, id) && t.complete(page) && !t.task(id).PassesAtStart {
		t.say(Good, PageDoneText)
	}
	t.save()
}

// PageDoneText is the notice for the last task of a page.
const PageDoneText = "All tasks on this page are done."

// complete reports whether every task of a page was done.
func (t *Tutor) complete(p Page) bool {
	return !slices.ContainsFunc(p.Tasks, func(id string) bool { return !t.isDone(id) })
}

// signature returns a text that is the same for two polls with the same result.
func signature(s lab.State) string {
	var b strings.Builder
	for _, task := range s.Tasks {
		fmt.Fprintln(&b, task.ID, task.Done, failureText(task))
	}
	for _, m := range s.Missing {
		fmt.Fprintln(&b, m.What, m.Text)
	}
	return b.String()
}

// failureText says in one line why a task is not done. It is empty if the task is done.
func failureText(task lab.TaskState) string {
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

// sentence turns a message into a sentence.
func sentence(s string) string { return strings.TrimRight(upperFirst(s), ".") + "." }
