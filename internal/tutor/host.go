package tutor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
)

// pollTimeout bounds one poll.
const pollTimeout = 10 * time.Second

// Session is the part of *lab.Session that a Host uses.
type Session interface {
	Start(ctx context.Context) (notes []string, err error)
	Reset(ctx context.Context) (notes []string, err error)
	Solve(ctx context.Context, task string) error
	Poll(ctx context.Context) (lab.State, error)
	Advise(ctx context.Context, task string) ([]lab.Advice, error)
	Pose(ctx context.Context) (lab.Question, error)
	Grade(ctx context.Context, choice string) (lab.Grade, error)
}

// Workspace is the part of *Files that a Host uses.
type Workspace interface {
	// See compares the named files with the cluster.
	See(ctx context.Context, names []string) []FileState
	// PutSolution writes the files of a task's solution and keeps changed files.
	PutSolution(task string) (notes []string, err error)
	Reset() (notes []string, err error) // Reset writes the files of start/ and keeps changed files.
}

// Host runs the effects of a Tutor. It is safe for concurrent use.
type Host struct {
	Files Workspace
	// Up starts the cluster and the controller, and returns a session of the lab.
	Up func(context.Context) (Session, error)
	// Gone returns an error if the cluster no longer exists.
	Gone    func(context.Context) error
	Store   func(context.Context, progress.Record) error // Store saves the progress.
	Changed <-chan []string                              // Changed receives the names of changed files

	mu      sync.Mutex
	session Session
}

// Use makes s the current session.
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

// Do runs an effect that RunNow returned. It returns the result, or nil if ctx ends first.
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
		select {
		case <-time.After(effect.For):
		case <-ctx.Done():
		}
		return Woke{effect.Seq}
	case Poll:
		return h.poll(ctx, s)
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

// RunNow saves before the student sees the progress. It returns others, the effects that Do runs.
func (h *Host) RunNow(ctx context.Context, t *Tutor, effects []Effect) (others []Effect, exit bool) {
	for _, e := range effects {
		switch e := e.(type) {
		case Save:
			t.Update(time.Now(), Saved{h.Store(context.WithoutCancel(ctx), e.Record)}) // a Saved event causes no effects
		case Exit:
			exit = true
		default:
			others = append(others, e)
		}
	}
	return others, exit
}

func (h *Host) poll(ctx context.Context, s Session) Event {
	brief, cancel := context.WithTimeoutCause(ctx, pollTimeout, errors.New("no response within "+pollTimeout.String()))
	defer cancel()
	state, err := s.Poll(brief)
	if err != nil {
		if brief.Err() != nil {
			err = context.Cause(brief) // the request's own error only mentions its context
		}
		if gone := h.Gone(ctx); gone != nil {
			return Polled{Err: gone, Gone: true}
		}
	}
	return Polled{State: state, Err: err}
}

// solve writes the files last, so that a failure leaves the student's files in place.
func (h *Host) solve(ctx context.Context, s Session, task string) Event {
	if err := s.Solve(ctx, task); err != nil {
		return Solved{Task: task, Err: err}
	}
	notes, err := h.Files.PutSolution(task)
	if err != nil {
		notes = append(notes, "Cannot write the files of the solution: "+err.Error())
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
