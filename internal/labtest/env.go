package labtest

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Env is the cluster and the options of a test.
type Env struct {
	lab.Env
	// Retry repeats failed items alone in the cluster, because a busy machine can cause a failure.
	// The report has both attempts.
	Retry bool
	// Parallel is how many labs and scenarios run in parallel. 0 means DefaultParallel.
	Parallel int
	Keep     bool // Keep keeps the labs' namespaces
	// Existing is true for a cluster that the tests did not create: a lab whose namespace exists
	// there does not run.
	Existing bool
	// Lock prevents other processes from changing a lab. It is nil if no other process can.
	Lock    func(*lab.Lab) (release func(), err error)
	Session func(*lab.Lab) Session // Session opens a lab. If it is nil, lab.NewSession does.
	// Verify replays a lesson. It returns the number of commands, and the outputs that differ. If
	// it is nil, lessons are skipped for the reason NoVerify.
	Verify   func(context.Context, *lab.Lab) (commands int, faults []Diagnostic, err error)
	NoVerify string
	// Progress is called with each completed item, one at a time. It can be nil.
	Progress func(*Item)
	Timeouts Timeouts // Timeouts has the default values if it is zero
}

// DefaultParallel is the default of Parallel. It can exceed the number of cores, because labs
// mostly wait for pods and timeouts.
const DefaultParallel = 5

// Timeouts limit the waits. A mutant needs as long as a solution to take effect.
type Timeouts struct {
	// Ready limits the wait for a mutant's pods, which might never be ready.
	Ready time.Duration
	// Settle is the wait after Ready, until all replicas of the controller have applied the change.
	Settle  time.Duration
	Failure time.Duration // Failure limits the wait for a check to fail
	// Advice limits the wait for the expected hint: an Event or a failed probe takes time.
	Advice time.Duration
	Gone   time.Duration // Gone limits the wait for the removal of a lab's objects
}

func (t Timeouts) orDefault() Timeouts {
	if t == (Timeouts{}) {
		return Timeouts{Ready: 4 * time.Second, Settle: 500 * time.Millisecond, Failure: 15 * time.Second, Advice: 8 * time.Second,
			Gone: 30 * time.Second}
	}
	return t
}

// Session is a lab in a cluster; *lab.Session implements it.
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
	// Objects returns the lab's objects, inside and outside its namespace.
	Objects(ctx context.Context) ([]*unstructured.Unstructured, error)
	// Withdraw removes the objects that affect other labs. Remove removes all objects.
	Withdraw(ctx context.Context) error
	Remove(ctx context.Context) error
}

func (e Env) open(l *lab.Lab) Session {
	if e.Session != nil {
		return e.Session(l)
	}
	return lab.NewSession(l, e.Env)
}

// outcomeOf returns the outcome of an error, which the end of ctx might have caused.
func outcomeOf(ctx context.Context) scenario.Outcome {
	switch ctx.Err() {
	case nil:
		return scenario.Broken
	case context.DeadlineExceeded:
		return scenario.TimedOut
	}
	return scenario.Interrupted
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
