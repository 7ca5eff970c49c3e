// Package tutor guides a student through a lab: it shows the lesson page by page, watches the
// cluster and the student's files, marks tasks as done, gives hints, solves tasks, and saves
// progress.
//
// [Tutor] makes all decisions. It is a state machine without a clock, a cluster, or a terminal: it
// accepts an [Event] and the time, and returns [Effect]s. [Host] runs each effect, and the result
// is the next event. There are two front ends: package tui draws on a terminal, and [Plain] writes
// lines for pipes and screen readers.
//
// Read event.go for the inputs and outputs of a Tutor, tutor.go for its state, poll.go for how
// tasks become done, command.go for what students can do, and host.go for the effects.
package tutor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
)

// Tutor is the state of one student in one lab. It is not safe for concurrent use.
type Tutor struct {
	lab     *lab.Lab
	pages   []Page
	at      int // index in pages
	record  progress.Record
	now     time.Time
	effects []Effect

	tasks   map[string]lab.TaskState // The results of polls
	undone  map[string]int           // consecutive polls in which a finished task failed
	missing []lab.Missing
	outage  *Outage
	polled  bool // at least one poll succeeded
	pace    pace

	// The operation in progress.
	busy      string   // its description; empty if none runs
	queue     []string // tasks to solve after the current one
	onward    bool     // turn the page when the queue is empty
	restoring bool     // restore the objects of start/ if they are still missing
	prompt    *Prompt

	hint    *HintView
	advice  []lab.Advice
	quiz    Quiz
	files   map[string]FileState
	notices []Notice
	unsaved bool // the notice about unsaved progress was given
}

// Prompt is a question to answer with Yes or No.
type Prompt struct {
	Text string
	then func()
}

// Outage is a period in which the API server does not answer.
type Outage struct {
	Since time.Time
	Err   error
	Gone  bool // reports that the cluster no longer exists
}

// Tone is the kind of a Notice.
type Tone int

// The tones.
const (
	Info Tone = iota
	Good
	Bad
)

// Notice is a message to the student about an event.
type Notice struct {
	Tone Tone
	Text string
	// About is a file name or AboutCluster. A later notice about the same subject replaces this one.
	About string
}

// AboutCluster is the subject of notices about missing parts of the cluster or the lab.
const AboutCluster = "cluster"

// New returns a Tutor that continues from the record.
func New(c Course, r progress.Record) *Tutor {
	t := &Tutor{
		lab: c.Lab, pages: c.pages(), record: r.Clone(),
		tasks: map[string]lab.TaskState{}, undone: map[string]int{}, files: map[string]FileState{},
	}
	t.at = findPage(t.pages, r.Page, r.Number)
	return t
}

// Update handles an event and returns the effects to run.
func (t *Tutor) Update(now time.Time, e Event) []Effect {
	t.now, t.effects = now, nil
	switch e := e.(type) {
	case Command:
		t.command(e)
	case Choose:
		t.choose(int(e))
	case Woke:
		t.woke(e.Seq)
	case Polled:
		t.handlePoll(e)
	case Solved:
		t.solved(e)
	case Started:
		t.started(e)
	case Advised:
		t.advised(e)
	case Posed:
		t.posed(e)
	case Graded:
		t.graded(e)
	case BroughtUp:
		t.broughtUp(e)
	case FilesChanged:
		if len(e.Names) > 0 {
			t.do(SeeFiles(e))
			t.pollNow() // the student will probably apply the files next
		}
	case FilesSeen:
		t.filesSeen(e.Files)
	case Saved:
		t.saved(e.Err)
	}
	return t.effects
}

func (t *Tutor) do(e Effect) { t.effects = append(t.effects, e) }

func (t *Tutor) say(tone Tone, text string) { t.sayAbout("", tone, text) }

func (t *Tutor) sayAbout(about string, tone Tone, text string) {
	t.notices = append(t.notices, Notice{tone, text, about})
}

// save saves the state, once for each event.
func (t *Tutor) save() {
	t.record.Page, t.record.Number, t.record.Seen = t.pages[t.at].Title, t.at, t.now
	t.effects = slices.DeleteFunc(t.effects, func(e Effect) bool { _, ok := e.(Save); return ok })
	t.do(Save{t.record.Clone()})
}

func (t *Tutor) saved(err error) {
	switch {
	case err == nil && t.unsaved:
		t.unsaved = false
		t.say(Good, "Progress is saved again.")
	case err != nil && !t.unsaved:
		t.unsaved = true
		t.say(Bad, "Cannot save your progress; you can still continue: "+err.Error())
	}
}

// task returns the lab's task with an ID.
func (t *Tutor) task(id string) lab.Task {
	if i := t.position(id); i >= 0 {
		return t.lab.Tasks[i]
	}
	return lab.Task{ID: id, Title: id}
}

// position returns the index of a task in the lab, or -1.
func (t *Tutor) position(id string) int {
	return slices.IndexFunc(t.lab.Tasks, func(task lab.Task) bool { return task.ID == id })
}

// isDone reports whether a task was done at least once.
func (t *Tutor) isDone(id string) bool { return !t.record.Tasks[id].Done.IsZero() }

// pending returns the names of the files that the student hasn't applied.
func (t *Tutor) pending() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		if len(t.files[name].Pending) > 0 {
			names = append(names, name)
		}
	}
	return names
}

func (t *Tutor) filesSeen(files []FileState) {
	for _, f := range files {
		was := t.files[f.Name]
		switch {
		case f.Gone || len(f.Errors) == 0 && len(f.Pending) == 0:
			delete(t.files, f.Name)
			if len(was.Pending) > 0 && !f.Gone {
				t.sayAbout(f.Name, Good, f.Name+" is applied.")
				if t.hint != nil {
					t.hint.Stale = true
				}
			}
		case slices.Equal(f.Errors, was.Errors) && slices.Equal(f.Pending, was.Pending):
		default:
			t.files[f.Name] = f
			for _, line := range f.lines() {
				t.sayAbout(f.Name, Bad, line)
			}
		}
	}
}

// lines returns what the student should know about a file.
func (f FileState) lines() []string {
	if len(f.Errors) == 0 && len(f.Pending) > 0 {
		return []string{fmt.Sprintf("%s is saved but not applied (%s): kubectl apply -f %s", f.Name, strings.Join(f.Pending, ", "), f.Name)}
	}
	return f.Errors
}
