package tutor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ingresslab/ingresslab/internal/lab"
)

func (t *Tutor) command(c Command) {
	prompt := t.prompt
	t.prompt = nil
	switch c {
	case Begin:
		t.save()
		t.pollNow()
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
		if prompt != nil {
			prompt.then()
		}
	case No:
	case Restore:
		t.restore()
	case Quit:
		t.save()
		t.do(Exit{})
	}
}

// turn goes to a page, or to the nearest one that exists.
func (t *Tutor) turn(to int) {
	to = max(0, min(to, len(t.pages)-1))
	if to == t.at {
		return
	}
	t.at, t.hint = to, nil
	t.save()
	t.pollNow()
	t.arrive()
}

// arrive requests the question if the page is the quiz.
func (t *Tutor) arrive() {
	if t.pages[t.at].Kind == QuizPage && !t.quiz.asking {
		t.quiz = Quiz{asking: true}
		t.do(Pose{})
	}
}

// ask shows a prompt unless an operation is in progress.
func (t *Tutor) ask(text string, then func()) {
	if t.idle() {
		t.prompt = &Prompt{text, then}
	}
}

// idle reports whether no operation is in progress. If one is, it tells the student.
func (t *Tutor) idle() bool {
	if t.busy != "" {
		t.say(Info, "Wait until this is done: "+t.busy)
		return false
	}
	return true
}

func (t *Tutor) askSolve() {
	id := t.Present()
	if id == "" {
		t.say(Info, "All tasks on this page are done.")
		return
	}
	ids := t.unsolved(t.position(id))
	text := fmt.Sprintf("Solve “%s” for you?", t.task(id).Title)
	switch n := len(ids) - 1; {
	case n == 1:
		text += " This also solves one earlier task."
	case n > 1:
		text += fmt.Sprintf(" This also solves %d earlier tasks.", n)
	}
	t.ask(text, func() { t.solve(ids, false) })
}

func (t *Tutor) askSkip() {
	last := -1
	for _, page := range t.pages[:t.at+1] {
		for _, id := range page.Tasks {
			last = max(last, t.position(id))
		}
	}
	ids := t.unsolved(last)
	if len(ids) == 0 {
		t.turn(t.at + 1)
		return
	}
	var titles []string
	for _, id := range ids {
		titles = append(titles, "“"+t.task(id).Title+"”")
	}
	t.ask(fmt.Sprintf("Solve %s for you, and go to the next page?", strings.Join(titles, ", ")), func() { t.solve(ids, true) })
}

// unsolved returns the tasks to solve, in order, until the task at index last is solved.
func (t *Tutor) unsolved(last int) []string {
	var ids []string
	for _, task := range t.lab.Tasks[:last+1] {
		if !t.tasks[task.ID].Done && (!t.isDone(task.ID) || !task.Transient) {
			ids = append(ids, task.ID)
		}
	}
	return ids
}

func (t *Tutor) solve(ids []string, onward bool) {
	if len(ids) == 0 { // the tasks became done after the prompt
		return
	}
	t.queue, t.onward = slices.Clone(ids[1:]), onward
	t.busy = fmt.Sprintf("solving “%s” ...", t.task(ids[0]).Title)
	t.do(SolveTask{ids[0]})
	t.pollNow()
}

func (t *Tutor) solved(e Solved) {
	t.busy = ""
	for _, note := range e.Notes {
		t.say(Info, note)
	}
	if e.Err != nil {
		t.queue, t.onward = nil, false
		t.say(Bad, fmt.Sprintf("Cannot solve “%s”: %v", t.task(e.Task).Title, e.Err))
		t.pollNow()
		return
	}
	t.markDone(e.Task, true)
	if len(t.queue) > 0 {
		t.solve(t.queue, t.onward)
		return
	}
	t.pollNow()
	if t.onward {
		t.onward = false
		t.turn(t.at + 1)
	}
}

func (t *Tutor) askReset() {
	t.ask(fmt.Sprintf("Reset namespace %s and your files? This deletes your objects and keeps each changed file as NAME.mine.",
		t.lab.Namespace),
		func() { t.start(true, "resetting the lab ...") })
}

func (t *Tutor) start(reset bool, busy string) {
	t.busy = busy
	t.pace.paused = true
	t.do(Start{Reset: reset})
}

func (t *Tutor) started(e Started) {
	t.busy = ""
	for _, note := range e.Notes {
		t.say(Info, upperFirst(note))
	}
	switch {
	case e.Err != nil && e.Reset:
		t.say(Bad, "Cannot reset the lab: "+e.Err.Error())
	case e.Err != nil:
		t.say(Bad, "Cannot restore start/: "+e.Err.Error())
	case e.Reset:
		t.forget()
		t.say(Good, "The lab is reset.")
	default:
		t.say(Good, "start/ is restored, without your changes. Apply your files again, or use skip (k) to redo the tasks.")
	}
	t.resume()
}

// forget deletes the progress in the lab.
func (t *Tutor) forget() {
	t.record.Finished, t.record.Quiz, t.hint, t.quiz = nil, nil, nil, Quiz{}
	clear(t.record.Tasks)
	clear(t.tasks)
	clear(t.undone)
	clear(t.files)
	t.at, t.polled = 0, false
	t.save()
}

// restore begins with the cluster and the controller, because start/ needs them.
func (t *Tutor) restore() {
	switch {
	case !t.Broken():
		t.say(Info, "Nothing needs to be restored.")
	case !t.idle():
	case t.outage != nil || t.isMissing("cluster", lab.MissingController):
		t.busy, t.restoring = "starting the cluster and the controller ...", true
		t.pace.paused = true
		t.do(BringUp{})
	default:
		t.start(false, "restoring start/ ...")
	}
}

func (t *Tutor) isMissing(parts ...string) bool {
	return slices.ContainsFunc(t.missing, func(m lab.Missing) bool { return slices.Contains(parts, m.What) })
}

func (t *Tutor) broughtUp(e BroughtUp) {
	t.busy = ""
	if e.Err != nil {
		t.restoring = false
		t.say(Bad, "Cannot start the cluster: "+e.Err.Error())
	} else {
		t.say(Good, "The cluster and the controller are running.")
	}
	t.resume()
}

// restoreStart restores start/ if a restarted cluster lacks it.
func (t *Tutor) restoreStart() {
	if !t.restoring || t.busy != "" {
		return
	}
	t.restoring = false
	if t.isMissing(lab.MissingNamespace, lab.MissingStart) {
		t.start(false, "restoring start/ ...")
	}
}
