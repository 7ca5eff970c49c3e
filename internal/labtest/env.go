package labtest

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Env is where and how to test.
type Env struct {
	lab.Env
	// Again runs what failed a second time, alone in the cluster, because a busy machine can spoil the first try. The report has both.
	Again bool
	// Parallel is how many labs and scenarios run in parallel; DefaultParallel if it is 0.
	Parallel int
	// Keep leaves the labs' namespaces.
	Keep bool
	// Guest is true for an existing cluster: a lab whose namespace exists there is not run.
	Guest bool
	// Lock keeps other processes from changing a lab in the cluster; nil if there are none.
	Lock func(*lab.Lab) (release func(), err error)
	// Session opens a lab; lab.NewSession if it is nil.
	Session func(*lab.Lab) Session
	// Verify replays a lesson, and returns the number of its commands and the outputs that differ. If it is nil, lessons are skipped for
	// the reason NoVerify.
	Verify   func(context.Context, *lab.Lab) (commands int, faults []Diagnostic, err error)
	NoVerify string
	// Progress is called with each item when it ends, one at a time; nil for no calls.
	Progress func(*Item)
	// Timeouts are the default ones if they are zero.
	Timeouts Timeouts
}

// DefaultParallel is how many labs and scenarios run in parallel. Even on two cores, they mostly wait for pods and timeouts.
const DefaultParallel = 5

// Timeouts say how long to wait. A wrong answer needs as long as a right one to take effect.
type Timeouts struct {
	// Ready bounds the wait for the pods of a wrong answer, which might never be ready.
	Ready time.Duration
	// Settle is how long to wait after that: the controller acts in milliseconds, its other replicas a moment later.
	Settle time.Duration
	// Failure bounds how long a check that has to fail can still pass.
	Failure time.Duration
	// Advice bounds the wait for the right hint: an Event or a failed probe takes time.
	Advice time.Duration
	// Gone bounds the wait for the objects of a removed lab to disappear.
	Gone time.Duration
}

func (t Timeouts) orDefault() Timeouts {
	if t == (Timeouts{}) {
		return Timeouts{Ready: 4 * time.Second, Settle: 500 * time.Millisecond, Failure: 15 * time.Second, Advice: 8 * time.Second,
			Gone: 30 * time.Second}
	}
	return t
}

// Session is a lab in a cluster; *lab.Session is one.
type Session interface {
	Start(ctx context.Context) ([]string, error)
	// Reset also removes objects that the lab did not create.
	Reset(ctx context.Context) ([]string, error)
	Solve(ctx context.Context, task string) error
	// Mistake applies a mutant instead of solving its task, without waiting.
	Mistake(ctx context.Context, m lab.Mutant) error
	Advise(ctx context.Context, task string) ([]lab.Advice, error)
	Pose(ctx context.Context) (lab.Question, error)
	Grade(ctx context.Context, choice string) (lab.Grade, error)
	// Objects returns what the lab has in its namespace, and what it borrows outside of it.
	Objects(ctx context.Context) ([]*unstructured.Unstructured, error)
	// Withdraw removes the objects that affect other labs, Remove all of them.
	Withdraw(ctx context.Context) error
	Remove(ctx context.Context) error
}

func (e Env) open(l *lab.Lab) Session {
	if e.Session != nil {
		return e.Session(l)
	}
	return lab.NewSession(l, e.Env)
}

// outcomeOf returns the outcome of an error, which the end of ctx might explain.
func outcomeOf(ctx context.Context) scenario.Outcome {
	switch ctx.Err() {
	case nil:
		return scenario.Broken
	case context.DeadlineExceeded:
		return scenario.TimedOut
	}
	return scenario.Interrupted
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
