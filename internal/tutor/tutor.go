package tutor

import (
	"slices"
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
)

// Tutor is one student's way through one lab. It is not safe for concurrent use.
type Tutor struct {
	lab     *lab.Lab
	pages   []Page
	at      int // in pages
	record  progress.Record
	now     time.Time
	effects []Effect

	// What the last looks have seen.
	tasks  map[string]lab.TaskState
	lapses map[string]int // for how many looks in a row a task that was done has not been
	lost   []lab.Missing
	outage *Outage
	seen   bool // there was a look that saw something
	pace   pace

	// What is going on.
	busy      string   // what it is; empty if nothing is
	queue     []string // tasks to be solved after the present one
	onward    bool     // turn the page when they are
	restoring bool     // start/ is to be put back if that is still missing
	question  *Question

	hint    *HintView
	advice  []lab.Advice
	quiz    Quiz
	files   map[string]FileState
	notices []Notice
	unsaved bool // that progress cannot be saved has been said
}

// Question is something to be answered by Yes or No.
type Question struct {
	Text string
	then func()
}

// Outage is that the API server does not answer.
type Outage struct {
	Since time.Time
	Err   error
	// Gone says that there is nothing left that could.
	Gone bool
}

// Tone says how a Notice is meant.
type Tone int

// The tones.
const (
	Plainly Tone = iota
	Good
	Bad
)

// Notice is a line for the student about something that has happened.
type Notice struct {
	Tone Tone
	Text string
	// About is what the notice is about, if a later one about the same makes it old: a file's name, or AboutTrouble.
	About string
}

// AboutTrouble is the About of what was said when something that has to be there was gone, or was there again.
const AboutTrouble = "trouble"

// New returns a Tutor that goes on where the record ends.
func New(c Course, r progress.Record) *Tutor {
	t := &Tutor{
		lab: c.Lab, pages: c.pages(), record: r.Clone(),
		tasks: map[string]lab.TaskState{}, lapses: map[string]int{}, files: map[string]FileState{},
	}
	t.at = find(t.pages, r.Page, r.Number)
	return t
}

// Update takes an event in and returns what to do now.
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
		t.looked(e)
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
		t.filesChanged(e.Names)
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

// save remembers the present state; once a turn is enough.
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
		t.say(Bad, "Progress cannot be saved, the tutor goes on without: "+err.Error())
	}
}

// task returns the lab's task of an id.
func (t *Tutor) task(id string) lab.Task {
	for _, task := range t.lab.Tasks {
		if task.ID == id {
			return task
		}
	}
	return lab.Task{ID: id, Title: id}
}

// position returns where a task is in the lab, and -1 if it is not.
func (t *Tutor) position(id string) int {
	return slices.IndexFunc(t.lab.Tasks, func(task lab.Task) bool { return task.ID == id })
}
