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
	// readyTimeout limits the wait for the pods of start/ and solution/.
	readyTimeout = 90 * time.Second
	// refuteTimeout limits the wait until a check fails at start/. It might pass at first, while
	// the controller still uses removed objects.
	refuteTimeout = 5 * time.Second
)

// Env is the environment of a lab.
type Env struct {
	scenario.Env
	// Cluster is the cluster's name for locks. It is empty if no other process can change the labs.
	Cluster string
	// Addresses are the addresses of the ingress, for the URLs to open.
	Addresses cluster.Addresses
	Progress  Progress // Progress receives the events of a run; it can be nil
}

// NewEnv returns the Env of a cluster without sending a request.
func NewEnv(c *cluster.Cluster) (Env, error) {
	env, err := scenario.NewEnv(c)
	return Env{Env: env, Cluster: c.Name, Addresses: c.Addresses}, err
}

// Run runs a lab and leaves the solution in the lab's namespace. At start/, all checks must fail,
// except those with passesAtStart. Then it solves each task, and the task's check must pass. At the
// end, all checks must pass except those of transient tasks. It changes only the lab's objects, see
// plan.
//
// The Report is never nil. The error is not nil if and only if the outcome is Broken.
func Run(ctx context.Context, l *Lab, env Env) (*Report, error) {
	r := newRun(l, env)
	r.env.Progress.Started(*r.report)
	return r.finish(ctx, r.phases(ctx))
}

// Start is like Run, but stops at start/, where the student continues.
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
		Number: l.Number, Lab: l.Name, Title: l.Title, Dir: l.Dir, Namespace: l.Namespace, Address: env.Addresses.HTTP,
		Started: time.Now(), Outcome: scenario.Passed,
		Before: []CheckReport{}, Solved: []CheckReport{}, After: []CheckReport{},
	}}
}

type run struct {
	lab     *Lab
	env     Env
	session *Session
	report  *Report
	// foreign are the student's objects in the namespace.
	foreign []*unstructured.Unstructured
}

// finish determines the outcome and reports it.
func (r *run) finish(ctx context.Context, err error) (*Report, error) {
	err = r.blameMissing(ctx, err)
	r.settle(ctx, err)
	r.report.Seconds = time.Since(r.report.Started).Seconds()
	r.env.Progress.Done(*r.report)
	if r.report.Outcome == scenario.Broken {
		return r.report, fmt.Errorf("lab %d (%s): %w", r.lab.Number, r.lab.Name, err)
	}
	return r.report, nil
}

// missingTimeout limits the search for missing parts after a failure.
const missingTimeout = 5 * time.Second

// blameMissing checks whether a run failed because the namespace, the controller, or the cluster is
// missing. Such a failure says nothing about the lab.
func (r *run) blameMissing(ctx context.Context, err error) error {
	var known *outcomeError
	var busy *BusyError // the run did not start
	if err == nil || ctx.Err() != nil || errors.As(err, &busy) || errors.As(err, &known) && known.outcome == scenario.Skipped {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, missingTimeout)
	defer cancel()
	missing, missingErr := r.session.missing(ctx)
	var unreachable *UnreachableError
	switch {
	case errors.As(missingErr, &unreachable):
		return fmt.Errorf("%w (the run failed with: %s)", missingErr, err.Error())
	case len(missing) > 0 && missing[0].What == MissingController:
		return fmt.Errorf("%s (the run failed with: %s); run `ingresslab up`, then run the lab again", missing[0].Text, err.Error())
	case len(missing) > 0:
		return fmt.Errorf("%s, because it was deleted during the run (which failed with: %s); run the lab again", missing[0].Text, err.Error())
	}
	return err
}

// outcomeError is an error with the outcome of the run.
type outcomeError struct {
	outcome scenario.Outcome
	err     error
}

func (e *outcomeError) Error() string { return e.err.Error() }
func (e *outcomeError) Unwrap() error { return e.err }

func outcomef(outcome scenario.Outcome, format string, args ...any) error {
	return &outcomeError{outcome, fmt.Errorf(format, args...)}
}

// settle sets the outcome and the reason of the report from the error of the phases.
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

func (r *run) phases(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.env.Progress.Phase("solve each task, then check it")
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

// begin applies start/ and checks that no task is done.
func (r *run) begin(ctx context.Context) error {
	if why := r.session.Lacks(); len(why) > 0 {
		return outcomef(scenario.Skipped, "%s", strings.Join(why, "; "))
	}
	r.env.Progress.Phase(fmt.Sprintf("apply start/ to namespace %s: %s", r.lab.Namespace, tally(r.lab.Start)))
	p, err := r.session.start(ctx, false)
	r.foreign = p.foreign
	for _, note := range p.notes(r.lab.Namespace) {
		r.report.Notes = append(r.report.Notes, note)
		r.env.Progress.Note(note)
	}
	if err != nil {
		return notReady(err)
	}
	r.env.Progress.Phase("check that no task is done yet")
	return r.checkStart(ctx)
}

// notReady turns a *kube.NotReadyError into an error with the outcome TimedOut.
func notReady(err error) error {
	var missing *kube.NotReadyError
	if errors.As(err, &missing) {
		return outcomef(scenario.TimedOut, "%w", err)
	}
	return err
}

// solutionFailed distinguishes a failed solution, which is an error in the lab, from a broken
// cluster.
func solutionFailed(task Task, err error) error {
	var step *StepError
	if errors.As(err, &step) && step.Step.Outcome != scenario.Broken {
		return outcomef(step.Step.Outcome, "task %s: %w", task.ID, err)
	}
	return notReady(err)
}

// checkStart checks that all checks fail except those with passesAtStart.
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
			return r.passesTooEarly(task)
		default:
			return outcomef(step.Outcome, "task %s: %s", task.ID, step.Why())
		}
	}
	return nil
}

// passesTooEarly returns an error that blames the lab, or the student's objects if they can be the
// reason.
func (r *run) passesTooEarly(task Task) error {
	if len(r.foreign) == 0 {
		return fmt.Errorf("task %s: the check passes at start/, so it cannot detect that the task is done", task.ID)
	}
	var names, ingresses []string
	for _, o := range r.foreign {
		names = append(names, keyOf(o).lower())
		if o.GetKind() == "Ingress" {
			ingresses = append(ingresses, keyOf(o).lower())
		}
	}
	if len(ingresses) > 0 {
		names = ingresses // only Ingresses affect hosts
	}
	return outcomef(scenario.Failed,
		"task %s is done before its solution, possibly because of your objects in namespace %s: %s; delete them and try again",
		task.ID, r.lab.Namespace, strings.Join(names, ", "))
}

// checkEnd checks that all checks pass together, except those of transient tasks.
func (r *run) checkEnd(ctx context.Context) error {
	r.env.Progress.Phase("check all tasks together")
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

// check runs the check of a task, which must pass, and adds its report to kept.
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

// pages returns the URLs to open, with the ports of the ingress on this machine.
func (r *run) pages() []string {
	var pages []string
	for _, page := range r.lab.Open {
		u, err := url.Parse(page)
		if err != nil {
			continue // Load rejects such a URL
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
