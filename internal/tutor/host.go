package tutor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
)

// lookTimeout bounds one look: an API server that takes longer does not answer.
const lookTimeout = 10 * time.Second

// Session is what a tutor needs of a lab in a cluster; *lab.Session is one.
type Session interface {
	Start(ctx context.Context) (notes []string, err error)
	Reset(ctx context.Context) (notes []string, err error)
	Solve(ctx context.Context, task string) error
	Poll(ctx context.Context) (lab.State, error)
	Advise(ctx context.Context, task string) ([]lab.Advice, error)
	Pose(ctx context.Context) (lab.Question, error)
	Grade(ctx context.Context, choice string) (lab.Grade, error)
}

// Workspace is what a tutor needs of the student's files; *Files is one.
type Workspace interface {
	// See compares files, by their names, with what the cluster has.
	See(ctx context.Context, names []string) []FileState
	// PutSolution writes the files of a task's solution, and keeps the student's aside.
	PutSolution(task string) (notes []string, err error)
	// Reset writes the files of the start, and keeps the student's aside.
	Reset() (notes []string, err error)
}

// Host does in the world what a Tutor asks for. It is safe for concurrent use.
type Host struct {
	// Files is the workspace.
	Files Workspace
	// Up brings up the cluster with the controller in it, and returns the lab's session there.
	Up func(context.Context) (Session, error)
	// Gone returns why the cluster is not there anymore, and nil if it is or may be.
	Gone func(context.Context) error
	// Store remembers the progress.
	Store func(context.Context, progress.Record) error
	// Changed has the names of files that were written.
	Changed <-chan []string

	mu      sync.Mutex
	session Session
}

// Use makes the session the one that is asked from now on.
func (h *Host) Use(s Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.session = s
}

func (h *Host) current() Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.session
}

// Do carries out one of the effects that Keep leaves, and returns the event that comes of it; nil if ctx ends first.
func (h *Host) Do(ctx context.Context, effect Effect) Event {
	e := h.do(ctx, effect)
	if ctx.Err() != nil {
		return nil
	}
	return e
}

func (h *Host) do(ctx context.Context, effect Effect) Event {
	s := h.current()
	switch effect := effect.(type) {
	case Sleep:
		timer := time.NewTimer(effect.For)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return Woke{effect.Seq}
	case Poll:
		return h.look(ctx, s)
	case SolveTask:
		return h.solve(ctx, s, effect.Task)
	case Start:
		return h.start(ctx, s, effect.Reset)
	case Advise:
		advice, err := s.Advise(ctx, effect.Task)
		return Advised{effect.Task, advice, err}
	case Pose:
		q, err := s.Pose(ctx)
		return Posed{q, err}
	case Grade:
		g, err := s.Grade(ctx, effect.Choice)
		return Graded{g, err}
	case BringUp:
		up, err := h.Up(ctx)
		if err == nil {
			h.Use(up)
		}
		return BroughtUp{err}
	case SeeFiles:
		return FilesSeen{h.Files.See(ctx, effect.Names)}
	}
	return nil
}

// Keep carries out those effects that cannot wait, before anything else happens: what a student has seen ticked off is
// remembered, however the program ends. It returns the other effects, and whether the tutor is to end.
func (h *Host) Keep(ctx context.Context, t *Tutor, effects []Effect) (others []Effect, leave bool) {
	for _, e := range effects {
		switch e := e.(type) {
		case Save:
			t.Update(time.Now(), Saved{h.Store(context.WithoutCancel(ctx), e.Record)}) // wants nothing more
		case Exit:
			leave = true
		default:
			others = append(others, e)
		}
	}
	return others, leave
}

func (h *Host) look(ctx context.Context, s Session) Event {
	brief, cancel := context.WithTimeoutCause(ctx, lookTimeout, errors.New("no answer within "+lookTimeout.String()))
	defer cancel()
	state, err := s.Poll(brief)
	if err != nil {
		if brief.Err() != nil {
			err = context.Cause(brief) // what the request says of it is that its context has ended
		}
		if gone := h.Gone(ctx); gone != nil {
			return Polled{Err: gone, Gone: true}
		}
	}
	return Polled{State: state, Err: err}
}

// solve writes the files only after the task is solved: a student's own are not put aside for nothing.
func (h *Host) solve(ctx context.Context, s Session, task string) Event {
	if err := s.Solve(ctx, task); err != nil {
		return Solved{Task: task, Err: err}
	}
	notes, err := h.Files.PutSolution(task)
	if err != nil {
		notes = append(notes, "The files of the solution could not be written: "+err.Error())
	}
	return Solved{Task: task, Notes: notes}
}

func (h *Host) start(ctx context.Context, s Session, reset bool) Event {
	if !reset {
		notes, err := s.Start(ctx)
		return Started{reset, notes, err}
	}
	notes, err := s.Reset(ctx)
	if err != nil {
		return Started{reset, notes, err}
	}
	more, err := h.Files.Reset()
	return Started{reset, append(notes, more...), err}
}
