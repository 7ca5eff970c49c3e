package labtest

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Env is where and how to prove.
type Env struct {
	lab.Env
	// Again gives what was not proven a second try, alone in the cluster when all else is done: a busy machine can spoil the first.
	// The report keeps both.
	Again bool
	// Parallel is how many labs and scenarios are proven at the same time; DefaultParallel if it is 0.
	Parallel int
	// Keep leaves the labs' namespaces.
	Keep bool
	// Guest says that the cluster is somebody else's: a lab whose namespace is in use there is not touched.
	Guest bool
	// Lock makes the proof the only one that changes a lab in the cluster; nil if nobody else can.
	Lock func(*lab.Lab) (release func(), err error)
	// Session opens a lab; lab.NewSession if it is nil.
	Session func(*lab.Lab) Session
	// Verify plays a lesson, and returns how many commands it has and which outputs were not as recorded. Without it, the lessons are
	// not played, for the reason NoVerify.
	Verify   func(context.Context, *lab.Lab) (commands int, faults []Fault, err error)
	NoVerify string
	// Progress hears of the items as they end, one at a time; nil if nobody listens.
	Progress func(*Item)
	// Patience is for how long something is looked for that has to come; the zero value stands for usual times.
	Patience Patience
}

// DefaultParallel is how many labs and scenarios are proven at the same time: pods start, caches fill and time-outs run out most of
// the time, on two cores as well.
const DefaultParallel = 5

// Patience is how long to wait. A wrong answer takes effect like a right one: whoever looks too early sees what was there before.
type Patience struct {
	// Ready bounds the wait for the pods of a wrong answer, which may well never be ready.
	Ready time.Duration
	// Settle is how long to wait after that: the controller acts in milliseconds, its other replicas a moment later.
	Settle time.Duration
	// Refute bounds how long a check that must not hold may still hold.
	Refute time.Duration
	// Advice bounds how long the right hint may take: an Event or a failed probe comes late.
	Advice time.Duration
	// Gone bounds the wait for what a removed lab has left.
	Gone time.Duration
}

func (p Patience) orUsual() Patience {
	if p == (Patience{}) {
		return Patience{Ready: 4 * time.Second, Settle: 500 * time.Millisecond, Refute: 15 * time.Second, Advice: 8 * time.Second, Gone: 30 * time.Second}
	}
	return p
}

// Session is a lab in a cluster; *lab.Session is one.
type Session interface {
	Start(ctx context.Context) ([]string, error)
	// Reset is Start, and removes what is not the lab's, too.
	Reset(ctx context.Context) ([]string, error)
	Solve(ctx context.Context, task string) error
	// Mistake does what a mutant says instead of solving its task, and waits for nothing.
	Mistake(ctx context.Context, m lab.Mutant) error
	Advise(ctx context.Context, task string) ([]lab.Advice, error)
	Pose(ctx context.Context) (lab.Question, error)
	Grade(ctx context.Context, choice string) (lab.Grade, error)
	// Holdings returns what the lab has in its namespace, and what it borrows outside of it.
	Holdings(ctx context.Context) ([]*unstructured.Unstructured, error)
	// Withdraw removes what others can meet of the lab, Remove all of it.
	Withdraw(ctx context.Context) error
	Remove(ctx context.Context) error
}

func (e Env) open(l *lab.Lab) Session {
	if e.Session != nil {
		return e.Session(l)
	}
	return lab.NewSession(l, e.Env)
}

// outcomeOf tells what the end of ctx makes of an error.
func outcomeOf(ctx context.Context) scenario.Outcome {
	switch ctx.Err() {
	case nil:
		return scenario.Broken
	case context.DeadlineExceeded:
		return scenario.TimedOut
	}
	return scenario.Interrupted
}

// sleep waits, unless ctx ends before.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
