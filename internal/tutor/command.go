package tutor

import (
	"fmt"
	"slices"
	"strings"
)

func (t *Tutor) command(c Command) {
	question := t.question
	t.question = nil
	switch c {
	case Begin:
		t.save()
		t.lookNow()
		t.arrive()
	case Next:
		t.turn(t.at + 1)
	case Back:
		t.turn(t.at - 1)
	case Hint:
		t.askHint()
	case Solve:
		t.askSolve()
	case Skip:
		t.askSkip()
	case Reset:
		t.askReset()
	case Yes:
		if question != nil {
			question.then()
		}
	case No:
	case Restore:
		t.restore()
	case Quit:
		t.save()
		t.do(Exit{})
	}
}

// turn goes to a screen, as far as there is one.
func (t *Tutor) turn(to int) {
	to = max(0, min(to, len(t.pages)-1))
	if to == t.at {
		return
	}
	t.at, t.hint = to, nil
	t.save()
	t.lookNow()
	t.arrive()
}

// arrive does what a screen begins with.
func (t *Tutor) arrive() {
	if t.pages[t.at].Kind == Asking && !t.quiz.asking {
		t.quiz = Quiz{asking: true}
		t.do(Pose{})
	}
}

// ask asks a question, unless something is going on that the answer would disturb.
func (t *Tutor) ask(text string, then func()) {
	if t.idle() {
		t.question = &Question{text, then}
	}
}

// idle tells whether nothing is going on, and says what is.
func (t *Tutor) idle() bool {
	if t.busy != "" {
		t.say(Plainly, "One thing after the other: "+t.busy)
		return false
	}
	return true
}

func (t *Tutor) askSolve() {
	id := t.Present()
	if id == "" {
		t.say(Plainly, "Nothing on this screen is left to solve.")
		return
	}
	ids := t.unsettled(t.position(id))
	text := fmt.Sprintf("Solve “%s” for you?", t.task(id).Title)
	if n := len(ids) - 1; n > 0 {
		text = fmt.Sprintf("Solve “%s” for you? Before it, %s.", t.task(id).Title, tasksToSolve(n))
	}
	t.ask(text, func() { t.solve(ids, false) })
}

func tasksToSolve(n int) string {
	if n == 1 {
		return "one other task has to be solved"
	}
	return fmt.Sprintf("%d other tasks have to be solved", n)
}

func (t *Tutor) askSkip() {
	last := -1
	for _, screen := range t.pages[:t.at+1] {
		for _, id := range screen.Tasks {
			last = max(last, t.position(id))
		}
	}
	ids := t.unsettled(last)
	if len(ids) == 0 {
		t.turn(t.at + 1)
		return
	}
	var titles []string
	for _, id := range ids {
		titles = append(titles, "“"+t.task(id).Title+"”")
	}
	t.ask(fmt.Sprintf("Solve %s for you, and go on?", strings.Join(titles, ", ")), func() { t.solve(ids, true) })
}

// unsettled returns the tasks up to a position that have to be solved for the one there to be done.
func (t *Tutor) unsettled(last int) []string {
	var ids []string
	for i, task := range t.lab.Tasks {
		ticked := !t.record.Tasks[task.ID].Done.IsZero()
		if i <= last && !t.tasks[task.ID].Done && (!ticked || !task.Transient) {
			ids = append(ids, task.ID)
		}
	}
	return ids
}

// solve solves tasks one after the other.
func (t *Tutor) solve(ids []string, onward bool) {
	if len(ids) == 0 { // they have come true in the meantime
		return
	}
	t.queue, t.onward = slices.Clone(ids[1:]), onward
	t.busy = fmt.Sprintf("solving “%s” ...", t.task(ids[0]).Title)
	t.do(SolveTask{ids[0]})
	t.lookNow()
}

func (t *Tutor) solved(e Solved) {
	t.busy = ""
	for _, note := range e.Notes {
		t.say(Plainly, note)
	}
	if e.Err != nil {
		t.queue, t.onward = nil, false
		t.say(Bad, fmt.Sprintf("“%s” could not be solved: %v", t.task(e.Task).Title, e.Err))
		t.lookNow()
		return
	}
	t.tick(e.Task, true)
	if len(t.queue) > 0 {
		t.solve(t.queue, t.onward)
		return
	}
	t.lookNow()
	if t.onward {
		t.onward = false
		t.turn(t.at + 1)
	}
}

func (t *Tutor) askReset() {
	t.ask(fmt.Sprintf("Put namespace %s and your files back to the start? What you made there goes; files that you changed are kept as NAME.mine.", t.lab.Namespace),
		func() { t.start(true, "putting everything back to the start ...") })
}

func (t *Tutor) start(reset bool, busy string) {
	t.busy = busy
	t.pause()
	t.do(Start{Reset: reset})
}

func (t *Tutor) started(e Started) {
	t.busy = ""
	for _, note := range e.Notes {
		t.say(Plainly, upperFirst(note))
	}
	switch {
	case e.Err != nil:
		t.say(Bad, "The start could not be put back: "+e.Err.Error())
	case e.Reset:
		t.reset()
		t.say(Good, "Everything is as at the start.")
	default:
		t.say(Good, "start/ is back. What you have made since is not: apply your files again, or let skip (k) solve what was done.")
	}
	t.resume()
}

// reset forgets what was done.
func (t *Tutor) reset() {
	t.record.Finished, t.record.Quiz, t.hint, t.quiz = nil, nil, nil, Quiz{}
	clear(t.record.Tasks)
	clear(t.tasks)
	clear(t.lapses)
	clear(t.files)
	t.at, t.seen = 0, false
	t.save()
}

// restore brings back what is gone: first what everything else needs.
func (t *Tutor) restore() {
	switch {
	case !t.Broken():
		t.say(Plainly, "Nothing is gone that has to be brought back.")
	case !t.idle():
	case t.outage != nil || t.lacks("cluster") || t.lacks("controller"):
		t.busy, t.restoring = "bringing up the cluster and the controller ...", true
		t.pause()
		t.do(BringUp{})
	default:
		t.start(false, "putting start/ back ...")
	}
}

func (t *Tutor) lacks(what string) bool {
	for _, l := range t.lost {
		if l.What == what {
			return true
		}
	}
	return false
}

func (t *Tutor) broughtUp(e BroughtUp) {
	t.busy = ""
	if e.Err != nil {
		t.restoring = false
		t.say(Bad, "That did not succeed: "+e.Err.Error())
	} else {
		t.say(Good, "The cluster is up, with the controller in it.")
	}
	t.resume()
}

// restoreMore puts start/ back if a cluster that was brought up does not hold it.
func (t *Tutor) restoreMore() {
	if !t.restoring || t.busy != "" {
		return
	}
	t.restoring = false
	if t.lacks("namespace") || t.lacks("start") {
		t.start(false, "putting start/ back ...")
	}
}
