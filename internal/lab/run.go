package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

const (
	// readyTimeout bounds the wait for the pods of start/ and of solution/.
	readyTimeout = 90 * time.Second
	// refuteTimeout is how long a check from start/ may still hold: the controller may be about to take in that the
	// objects of a run before are gone, which takes it milliseconds.
	refuteTimeout = 5 * time.Second
)

// Env is where a lab runs.
type Env struct {
	scenario.Env
	// Cluster is the cluster's name, by which labs are locked; empty if nobody else can change labs in it.
	Cluster string
	// Addresses is where the ingress is reached, for the pages to open.
	Addresses cluster.Addresses
	// Progress hears what happens; nil if nobody listens.
	Progress Progress
}

// NewEnv returns the Env of a cluster. It makes no request.
func NewEnv(c *cluster.Cluster) (Env, error) {
	env, err := scenario.NewEnv(c)
	return Env{Env: env, Cluster: c.Name, Addresses: c.Addresses}, err
}

// Run goes through a lab as a student does who makes no mistake, and leaves the solution running in the lab's namespace: start/,
// with no check that holds; then task by task, each check after its solution; at the end all of them, but for those that were true
// on the way only. Of what is in the namespace, it changes only what the lab owns, see plan.
//
// The Report is never nil. The error is not nil exactly if the outcome is Broken.
func Run(ctx context.Context, l *Lab, env Env) (*Report, error) {
	r := newRun(l, env)
	r.env.Progress.Started(*r.report)
	return r.finish(ctx, r.phases(ctx))
}

// Start goes as far as start/, where a student goes on: it shows that nothing is solved yet. Report and error are as Run's.
func Start(ctx context.Context, l *Lab, env Env) (*Report, error) {
	r := newRun(l, env)
	r.env.Progress.Started(*r.report)
	r.report.OnlyStarted = true
	return r.finish(ctx, r.begin(ctx))
}

func newRun(l *Lab, env Env) *run {
	if env.Progress == nil {
		env.Progress = silent{}
	}
	return &run{lab: l, env: env, session: NewSession(l, env), report: &Report{
		Number: l.Number, Lab: l.Name, Title: l.Title, Dir: l.Dir, Namespace: l.Namespace, Address: env.Addresses.HTTP, Started: time.Now(), Outcome: scenario.Passed,
		Before: []CheckReport{}, Solved: []CheckReport{}, After: []CheckReport{},
	}}
}

type run struct {
	lab     *Lab
	env     Env
	session *Session
	report  *Report
	// foreign is what the student has in the namespace.
	foreign []*unstructured.Unstructured
}

// finish settles how the run has ended, and says so.
func (r *run) finish(ctx context.Context, err error) (*Report, error) {
	err = r.blameLoss(ctx, err)
	r.settle(ctx, err)
	r.report.Seconds = time.Since(r.report.Started).Seconds()
	r.env.Progress.Done(*r.report)
	if r.report.Outcome == scenario.Broken {
		return r.report, fmt.Errorf("lab %d (%s): %w", r.lab.Number, r.lab.Name, err)
	}
	return r.report, nil
}

// lossTimeout bounds the look for what explains a failure.
const lossTimeout = 5 * time.Second

// blameLoss finds out whether a run failed because somebody took away what it stands on: the namespace, the controller or the
// cluster. Then nothing is known about the lab, and the check that failed is not to blame.
func (r *run) blameLoss(ctx context.Context, err error) error {
	var known *outcomeError
	var busy *BusyError // nothing was begun
	if err == nil || ctx.Err() != nil || errors.As(err, &busy) || errors.As(err, &known) && known.outcome == scenario.Skipped {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lossTimeout)
	defer cancel()
	lost, lookErr := r.session.lost(ctx)
	var unreachable *UnreachableError
	switch {
	case errors.As(lookErr, &unreachable):
		return fmt.Errorf("%w (it ended with: %s)", lookErr, err.Error())
	case len(lost) > 0 && lost[0].What != MissingStart:
		return fmt.Errorf("%s; %s (it ended with: %s)", lost[0].Text, lost[0].Fix, err.Error())
	case len(lost) > 0:
		return fmt.Errorf("%s: somebody has deleted it while the lab ran (it ended with: %s)", lost[0].Text, err.Error())
	}
	return err
}

// outcomeError is an error that says which outcome it makes.
type outcomeError struct {
	outcome scenario.Outcome
	err     error
}

func (e *outcomeError) Error() string { return e.err.Error() }
func (e *outcomeError) Unwrap() error { return e.err }

func outcomef(outcome scenario.Outcome, format string, args ...any) error {
	return &outcomeError{outcome, fmt.Errorf(format, args...)}
}

// settle turns the error that ended the phases into the report's outcome and reason.
func (r *run) settle(ctx context.Context, err error) {
	var known *outcomeError
	switch {
	case err == nil:
		return
	case errors.Is(ctx.Err(), context.Canceled):
		r.report.Outcome = scenario.Interrupted
	case ctx.Err() != nil:
		r.report.Outcome = scenario.TimedOut
	case errors.As(err, &known):
		r.report.Outcome = known.outcome
	default:
		r.report.Outcome = scenario.Broken
	}
	r.report.Reason = err.Error()
}

// phases is the story of a lab.
func (r *run) phases(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.env.Progress.Phase("task by task, its solution and then its check")
	for _, task := range r.lab.Tasks {
		if task.PassesAtStart && len(task.Solution) == 0 {
			continue
		}
		if err := r.session.Solve(ctx, task.ID); err != nil {
			return solutionFailed(task, err)
		}
		if err := r.check(ctx, task, &r.report.Solved, true); err != nil {
			return err
		}
	}
	if err := r.checkEnd(ctx); err != nil {
		return err
	}
	r.report.Open = r.pages()
	return nil
}

// begin brings the lab to start/ and shows that nothing is solved.
func (r *run) begin(ctx context.Context) error {
	if why := r.session.Lacks(); len(why) > 0 {
		return outcomef(scenario.Skipped, "%s", strings.Join(why, "; "))
	}
	r.env.Progress.Phase(fmt.Sprintf("start/ goes into namespace %s: %s", r.lab.Namespace, tally(r.lab.Start)))
	p, err := r.session.start(ctx, false)
	r.foreign = p.foreign
	for _, note := range p.notes(r.lab.Namespace) {
		r.report.Notes = append(r.report.Notes, note)
		r.env.Progress.Note(note)
	}
	if err != nil {
		return notReady(err)
	}
	r.env.Progress.Phase("nothing is solved yet")
	return r.checkStart(ctx)
}

// notReady makes a time-out of pods that did not become ready.
func notReady(err error) error {
	var missing *kube.NotReadyError
	if errors.As(err, &missing) {
		return outcomef(scenario.TimedOut, "%w", err)
	}
	return err
}

// solutionFailed tells a solution that does not succeed, which is the lab's fault, from a cluster that does not work.
func solutionFailed(task Task, err error) error {
	var step *StepError
	if errors.As(err, &step) && step.Step.Outcome != scenario.Broken {
		return outcomef(step.Step.Outcome, "task %s: %w", task.ID, err)
	}
	return notReady(err)
}

// checkStart shows that no check holds but those that say so. A check that holds although nothing has been done cannot
// tell whether something was.
func (r *run) checkStart(ctx context.Context) error {
	for _, task := range r.lab.Tasks {
		if task.PassesAtStart {
			if err := r.check(ctx, task, &r.report.Before, false); err != nil {
				return err
			}
			continue
		}
		step := scenario.ExpectFailure(ctx, r.env.Env, r.lab.Namespace, task.Check, refuteTimeout)
		check := CheckReport{Task: task.ID, Title: task.Title, Holds: step.Outcome == scenario.Passed, Expected: step.Outcome == scenario.Failed,
			Steps: []scenario.StepReport{step}, Outcome: step.Outcome, Seconds: step.Seconds}
		r.report.Before = append(r.report.Before, check)
		r.env.Progress.Checked(check, false)
		switch step.Outcome {
		case scenario.Failed:
		case scenario.Passed:
			return r.holdsTooEarly(task)
		default:
			return outcomef(step.Outcome, "task %s: %s", task.ID, step.Why())
		}
	}
	return nil
}

// holdsTooEarly blames the lab, unless the student has things in the namespace that may be the reason.
func (r *run) holdsTooEarly(task Task) error {
	if len(r.foreign) == 0 {
		return fmt.Errorf("task %s: the check holds from start/ already, so it cannot tell whether the task was done", task.ID)
	}
	var names, ingresses []string
	for _, o := range r.foreign {
		names = append(names, keyOf(o).lower())
		if o.GetKind() == "Ingress" {
			ingresses = append(ingresses, keyOf(o).lower())
		}
	}
	if len(ingresses) > 0 {
		names = ingresses // nothing else claims a host
	}
	return outcomef(scenario.Failed, "task %s is done before the solution is there; %s in namespace %s may be the reason: delete what is yours and try again",
		task.ID, strings.Join(names, ", "), r.lab.Namespace)
}

// checkEnd shows that the tasks do not undo one another: every check holds still, but for those that say that they will not.
func (r *run) checkEnd(ctx context.Context) error {
	r.env.Progress.Phase("at the end, all of them together")
	for _, task := range r.lab.Tasks {
		if task.Transient {
			continue
		}
		if err := r.check(ctx, task, &r.report.After, true); err != nil {
			return err
		}
	}
	return nil
}

// check runs a check that has to hold, and keeps its report in kept.
func (r *run) check(ctx context.Context, task Task, kept *[]CheckReport, solved bool) error {
	begin := time.Now()
	steps := scenario.Check(ctx, r.env.Env, r.lab.Namespace, task.Check)
	last := steps[len(steps)-1]
	check := CheckReport{Task: task.ID, Title: task.Title, Holds: last.Outcome == scenario.Passed, Expected: last.Outcome == scenario.Passed,
		Steps: steps, Outcome: last.Outcome, Seconds: time.Since(begin).Seconds()}
	*kept = append(*kept, check)
	r.env.Progress.Checked(check, solved)
	if !check.Holds {
		return outcomef(last.Outcome, "task %s: %s", task.ID, last.Why())
	}
	return nil
}

// pages returns the URLs to open, with the ports at which the ingress is reached from this machine.
func (r *run) pages() []string {
	var pages []string
	for _, page := range r.lab.Open {
		u, err := url.Parse(page)
		if err != nil {
			continue // Load has refused such
		}
		address, usual := r.env.Addresses.HTTP, "80"
		if u.Scheme == "https" {
			address, usual = r.env.Addresses.HTTPS, "443"
		}
		if _, port, err := net.SplitHostPort(address); err == nil && port != usual {
			u.Host = net.JoinHostPort(u.Hostname(), port)
		}
		pages = append(pages, u.String())
	}
	return pages
}

// tally counts objects by kind: "3 deployments, 1 ingress".
func tally(objects []*unstructured.Unstructured) string {
	counts := map[string]int{}
	var kinds []string
	for _, o := range objects {
		if counts[o.GetKind()]++; counts[o.GetKind()] == 1 {
			kinds = append(kinds, o.GetKind())
		}
	}
	var parts []string
	for _, kind := range kinds {
		parts = append(parts, text.Count(counts[kind], strings.ToLower(kind)))
	}
	return strings.Join(parts, ", ")
}
