package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/scenario"
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
	// Addresses is where the ingress is reached, for the pages to open.
	Addresses cluster.Addresses
	// Progress hears what happens; nil if nobody listens.
	Progress Progress
}

// NewEnv returns the Env of a cluster. It makes no request.
func NewEnv(c *cluster.Cluster) (Env, error) {
	env, err := scenario.NewEnv(c)
	return Env{Env: env, Addresses: c.Addresses}, err
}

// Run goes through a lab from start to solution and leaves the solution running in the lab's namespace. Of what is in
// the namespace, it changes only what the lab owns, see plan.
//
// The Report is never nil. The error is not nil exactly if the outcome is Broken.
func Run(ctx context.Context, l *Lab, env Env) (*Report, error) {
	if env.Progress == nil {
		env.Progress = silent{}
	}
	r := &run{lab: l, env: env, report: &Report{
		Number: l.Number, Lab: l.Name, Title: l.Title, Namespace: l.Namespace, Address: env.Addresses.HTTP, Started: time.Now(), Outcome: scenario.Passed,
	}}
	env.Progress.Started(*r.report)
	err := r.phases(ctx)
	r.settle(ctx, err)
	r.report.Seconds = time.Since(r.report.Started).Seconds()
	env.Progress.Done(*r.report)
	if r.report.Outcome == scenario.Broken {
		return r.report, fmt.Errorf("lab %d (%s): %w", l.Number, l.Name, err)
	}
	return r.report, nil
}

type run struct {
	lab    *Lab
	env    Env
	report *Report
	// foreign is what the student has in the namespace.
	foreign []*unstructured.Unstructured
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
	if why := r.env.Capabilities.Lacks(r.lab.Requires...); len(why) > 0 {
		return outcomef(scenario.Skipped, "%s", strings.Join(why, "; "))
	}
	if err := r.env.Kube.EnsureNamespace(ctx, r.lab.Namespace, map[string]string{Label: r.lab.Name}); err != nil {
		return err
	}
	r.env.Progress.Phase(fmt.Sprintf("start/ goes into namespace %s: %s", r.lab.Namespace, tally(r.lab.Start)))
	if err := r.bring(ctx, r.lab.Start); err != nil {
		return err
	}
	r.env.Progress.Phase("nothing is solved yet")
	if err := r.checkStart(ctx); err != nil {
		return err
	}
	r.env.Progress.Phase(fmt.Sprintf("solution/ is applied: %s", tally(r.lab.Solution)))
	if err := r.bring(ctx, r.lab.solved()); err != nil {
		return err
	}
	r.env.Progress.Phase("now every check holds")
	if err := r.checkSolution(ctx); err != nil {
		return err
	}
	r.report.Open = r.pages()
	return nil
}

// bring brings the namespace to the objects and waits until they are ready.
func (r *run) bring(ctx context.Context, objects []*unstructured.Unstructured) error {
	p, err := bring(ctx, r.env.Kube, r.lab, objects)
	r.foreign = p.foreign
	for _, note := range p.notes(r.lab.Namespace) {
		if !slices.Contains(r.report.Notes, note) {
			r.report.Notes = append(r.report.Notes, note)
			r.env.Progress.Note(note)
		}
	}
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	err = r.env.Kube.WaitReady(within, p.apply...)
	var missing *kube.NotReadyError
	if errors.As(err, &missing) {
		return outcomef(scenario.TimedOut, "%w", err)
	}
	return err
}

// checkStart shows that no check holds but those that say so. A check that holds although nothing has been done cannot
// tell whether something was.
func (r *run) checkStart(ctx context.Context) error {
	for _, task := range r.lab.Tasks {
		if task.StartsTrue {
			if err := r.check(ctx, task, false); err != nil {
				return err
			}
			continue
		}
		step := scenario.Refute(ctx, r.env.Env, r.lab.Namespace, task.Check, refuteTimeout)
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

func (r *run) checkSolution(ctx context.Context) error {
	for _, task := range r.lab.Tasks {
		if err := r.check(ctx, task, true); err != nil {
			return err
		}
	}
	return nil
}

// check runs a check that has to hold.
func (r *run) check(ctx context.Context, task Task, solved bool) error {
	begin := time.Now()
	steps := scenario.Check(ctx, r.env.Env, r.lab.Namespace, task.Check)
	last := steps[len(steps)-1]
	check := CheckReport{Task: task.ID, Title: task.Title, Holds: last.Outcome == scenario.Passed, Expected: last.Outcome == scenario.Passed,
		Steps: steps, Outcome: last.Outcome, Seconds: time.Since(begin).Seconds()}
	if solved {
		r.report.After = append(r.report.After, check)
	} else {
		r.report.Before = append(r.report.Before, check)
	}
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
		parts = append(parts, plural(counts[kind], strings.ToLower(kind)))
	}
	return strings.Join(parts, ", ")
}

func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
