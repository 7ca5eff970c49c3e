package scenario

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/pki"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// cleanupTimeout bounds the removal at the end, which goes on when the run itself was interrupted.
const cleanupTimeout = 30 * time.Second

// Run runs a loaded scenario: in a namespace of its own, one step after the other up to the first that does not hold,
// and then removes everything unless env says to keep it. The removal is asked for and not waited for: it takes as long
// as pods take to stop, and nothing of it is in the way of another run.
//
// The Report is never nil. The error is not nil exactly if the outcome is Broken.
func Run(ctx context.Context, s *Scenario, env Env) (*Report, error) {
	if env.Seed == 0 {
		env.Seed = NewSeed()
	}
	report := &Report{Scenario: s.Metadata.Name, Title: s.Metadata.Title, File: s.file, Started: time.Now(), Outcome: Passed, Seed: env.Seed, Steps: []StepReport{}}
	defer func() { env.progress().ScenarioDone(*report) }()
	if why := env.Capabilities.Lacks(s.Requires...); len(why) > 0 {
		report.Outcome, report.Reason = Skipped, strings.Join(why, "; ")
		env.progress().ScenarioStarted(*report)
		return report, nil
	}
	r, which, err := newRun(ctx, s, env)
	if err != nil {
		report.Outcome, report.Reason = brokenUnless(ctx), err.Error()
		env.progress().ScenarioStarted(*report)
		return report, broken(report.Outcome, err)
	}
	report.Run, report.Seed, report.Namespace = r.env.Run, r.env.Seed, r.names.namespace
	env.progress().ScenarioStarted(*report)
	err = r.script(ctx, s, which, report)
	r.close(ctx, report)
	report.Seconds = time.Since(report.Started).Seconds()
	if err != nil {
		return report, fmt.Errorf("scenario %s: %w", s.Metadata.Name, err)
	}
	return report, nil
}

// newRun names the run, or finds the one to go on with, and finds out which steps are to run.
func newRun(ctx context.Context, s *Scenario, env Env) (*runner, part, error) {
	which, refused := s.part(env)
	if refused != nil {
		return nil, which, refused
	}
	env.Keep = env.Keep || env.Until != ""
	purpose := s.Metadata.Name + env.purpose
	switch {
	case env.From != "":
		kept, err := s.findKept(ctx, env, which.first)
		if err != nil {
			return nil, which, err
		}
		env.Run, env.Seed = kept.run, kept.seed
	case env.Run == "":
		env.Run = freeRunID(ctx, s, env, draws(env.Seed, purpose+" names"))
	}
	r := newRunner(env, newIsolation(s, env.Run))
	r.rand = draws(env.Seed, purpose)
	r.manifests, r.positions = s.manifests, s.positions
	return r, which, nil
}

// runner runs the steps of one scenario, or of a lab's check.
type runner struct {
	env       Env
	names     isolation
	manifests map[string]Manifest
	positions strictyaml.Positions
	// applied is what wait: {ready: true} is about: everything applied and not deleted since.
	applied []*unstructured.Unstructured
	// classes are the IngressClasses applied, which do not go away with the namespace.
	classes []*unstructured.Unstructured
	// sessions, authorities and clients are what later steps name: who keeps cookies, who signs, who has a certificate.
	sessions    map[string]*session
	authorities map[string]*pki.Authority
	clients     map[string]*tls.Certificate
	// rand draws what the run leaves to chance, such as which pod a fault meets: the same with the same seed.
	rand *rand.Rand
	// limit is how long the present step may look at most; 0 if that is for its file to say. See within.
	limit time.Duration
	// onTrial is set in the step that a mutant is to fail in, and in the steps inside of it.
	onTrial bool
	// loans and cordoned are what gets its former state back at the end: objects of the controller's namespace, and nodes.
	loans    []loan
	cordoned []string
	// disturbed is set once a step has changed pods that were there.
	disturbed bool
}

func newRunner(env Env, names isolation) *runner {
	return &runner{
		env: env, names: names,
		sessions: map[string]*session{}, authorities: map[string]*pki.Authority{}, clients: map[string]*tls.Certificate{},
		rand: draws(cmp.Or(env.Seed, NewSeed()), names.namespace),
	}
}

// script makes the namespace and runs the steps. The error is what is broken.
func (r *runner) script(ctx context.Context, s *Scenario, which part, report *Report) error {
	if err := r.env.Kube.EnsureNamespace(ctx, r.names.namespace, r.names.ofNamespace()); err != nil {
		report.Outcome, report.Reason = brokenUnless(ctx), err.Error()
		return broken(report.Outcome, err)
	}
	cause := r.conclude(report, r.resume(ctx, s, which.first, report))
	for i := len(report.Steps); i < len(s.Steps); i++ {
		if report.Outcome != Passed || i >= which.end {
			report.Steps = append(report.Steps, r.skipped(i, s.Steps[i]))
			continue
		}
		done, err := r.step(ctx, i, s.Steps[i])
		report.Steps = append(report.Steps, done)
		cause = cmp.Or(cause, r.conclude(report, err))
	}
	return cause
}

// conclude makes the outcome of the last step that of the report, unless it was skipped. The error is what is broken.
func (r *runner) conclude(report *Report, err error) error {
	if len(report.Steps) == 0 {
		return nil
	}
	done := report.Steps[len(report.Steps)-1]
	if done.Outcome == Passed || done.Outcome == Skipped {
		return nil
	}
	report.Outcome = done.Outcome
	report.Reason = fmt.Sprintf("step %d (%s:%d): %s", done.Number, report.File, done.Line, done.Why())
	if err := broken(done.Outcome, err); err != nil {
		return fmt.Errorf("step %d (%s): %w", done.Number, done.Text, err)
	}
	return nil
}

// broken returns err if it is what broke the lab.
func broken(outcome Outcome, err error) error {
	if outcome != Broken {
		return nil
	}
	return err
}

// step runs one step and reports it. The error is the cause of a step that is Broken.
func (r *runner) step(ctx context.Context, index int, step Step) (StepReport, error) {
	report := r.describe(index, step)
	r.env.progress().StepStarted(report)
	err := r.run(ctx, step, &report)
	r.env.progress().StepDone(report)
	return report, err
}

// run runs a step that has been described.
func (r *runner) run(ctx context.Context, step Step, report *StepReport) error {
	begin, limit, onTrial := time.Now(), r.limit, r.onTrial
	r.onTrial = onTrial || r.env.caught.Step != "" && step.Name == r.env.caught.Step
	r.limit = r.limitOf(step)
	err := r.do(ctx, step, report)
	tried := r.onTrial
	r.limit, r.onTrial = limit, onTrial
	report.Seconds = time.Since(begin).Seconds()
	if err != nil {
		report.Error = err.Error()
	}
	if report.Outcome != Passed && ctx.Err() != nil {
		report.Outcome = brokenUnless(ctx)
	}
	switch report.Outcome {
	case Failed, TimedOut, Broken:
		if tried && report.Outcome != Broken && r.env.caught.missing(report) == "" {
			return lost(report, err, r.whatIsGone(ctx)) // a mutant that is convicted needs no more witnesses
		}
		return r.catch(ctx, step, report, err)
	case Interrupted:
		// What was not yet so when somebody gave up is no finding.
		report.Mismatches, report.Note, report.Error = nil, "", ""
	}
	return err
}

// catch adds what explains that a step did not hold. If there is no API server to ask any more, or no namespace, that is the
// reason; what was seen before stands beside it. The error is the cause of a step that is Broken.
func (r *runner) catch(ctx context.Context, step Step, report *StepReport, err error) error {
	if report.nestedOutcome() != Passed && len(report.Mismatches) == 0 {
		return err // the step inside has said it all
	}
	diagnostics, gone := r.diagnose(ctx, step)
	report.Diagnostics = diagnostics
	return lost(report, err, gone)
}

// lost makes a step Broken if its cluster or namespace is gone, and returns the cause; it is err if nothing is gone.
func lost(report *StepReport, err, gone error) error {
	if gone == nil {
		return err
	}
	report.Outcome = Broken
	report.Error = gone.Error()
	if err != nil && !strings.Contains(report.Error, err.Error()) {
		report.Error += "; before that, " + err.Error()
	}
	return cmp.Or(err, gone)
}

func (r *runner) do(ctx context.Context, step Step, report *StepReport) error {
	switch step.Verb() {
	case "apply":
		return r.apply(ctx, step.Apply, report)
	case "delete":
		return r.remove(ctx, step.Delete, report)
	case "patch":
		return r.patch(ctx, *step.Patch, report)
	case "scale":
		return r.scale(ctx, *step.Scale, report)
	case "rollout":
		return r.rollout(ctx, *step.Rollout, report)
	case "certificate":
		return r.certify(ctx, *step.Certificate, report)
	case "traffic":
		return r.traffic(ctx, *step.Traffic, report)
	case "wait":
		return r.wait(ctx, *step.Wait, report)
	case "exec":
		return r.exec(ctx, *step.Exec, report)
	case "never":
		return r.never(ctx, *step.Never, report)
	case "fault":
		return r.fault(ctx, *step.Fault, report)
	case "expect":
		r.expect(ctx, *step.Expect, report)
		return nil
	}
	report.Outcome = Broken
	return errors.New("the step has no verb")
}

// brokenUnless returns Broken, unless ctx has ended, which explains any failure.
func brokenUnless(ctx context.Context) Outcome {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return TimedOut
	case ctx.Err() != nil:
		return Interrupted
	}
	return Broken
}

func (r *runner) skipped(index int, step Step) StepReport {
	report := r.describe(index, step)
	report.Outcome = Skipped
	return report
}

// Why says in one line why a step did not pass.
func (s StepReport) Why() string {
	if s.Outcome == Interrupted {
		return "interrupted"
	}
	why := s.Note
	switch {
	case len(s.Mismatches) > 0 && s.Outcome == Broken && s.Error != "":
		why = s.Error + "; before that, " + s.Mismatches[0].String()
	case len(s.Mismatches) > 0:
		why = s.Mismatches[0].String()
	case s.Error != "":
		why = s.Error
	case s.whyInside() != "":
		return strings.TrimPrefix(s.whyInside(), "; ")
	}
	return why + s.whyInside()
}

// whyInside says which of the steps inside did not pass; empty if all did.
func (s StepReport) whyInside() string {
	for _, inside := range s.While {
		if inside.Outcome != Passed && inside.Outcome != Skipped {
			return fmt.Sprintf("; meanwhile, step %s (%s): %s", inside.label(), inside.Text, inside.Why())
		}
	}
	return ""
}

// close removes what the run made, also when ctx has ended: hence a context that has not.
func (r *runner) close(ctx context.Context, report *Report) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if r.env.Keep {
		r.keep(ctx, report)
		return
	}
	if r.env.series.takes(ctx, r, report) {
		return
	}
	err := errors.Join(
		r.uncordon(ctx),
		r.giveBack(ctx),
		r.env.Kube.Delete(ctx, r.classes...),
		r.env.Kube.Delete(ctx, slices.DeleteFunc(slices.Clone(r.applied), isNoIngress)...), // at once, for others may meet it
		r.env.Kube.DeleteNamespace(ctx, r.names.namespace, false),
	)
	if err != nil {
		report.Cleanup = err.Error()
	}
}

func isNoIngress(o *unstructured.Unstructured) bool { return o.GetKind() != "Ingress" }

// keep leaves everything, and writes to the namespace where a later run can go on.
func (r *runner) keep(ctx context.Context, report *Report) {
	passed := report.passed()
	report.Changed = r.changed()
	if report.Kept = true; passed < len(report.Steps) {
		report.Next = passed + 1
	}
	labels := r.names.ofNamespace()
	labels[LabelKept], labels[LabelSeed] = strconv.Itoa(passed), strconv.FormatUint(r.env.Seed, 10)
	if err := r.env.Kube.EnsureNamespace(ctx, r.names.namespace, labels); err != nil {
		report.Next, report.Cleanup = 0, "the namespace could not be marked as kept: "+err.Error()
	}
}

// passed is how many steps have passed, in this run or in the one that it goes on with.
func (r *Report) passed() int {
	last := 0
	for _, s := range r.Steps {
		switch s.Outcome {
		case Passed:
			last = s.Number
		case Skipped:
		default:
			return s.Number - 1
		}
	}
	return last
}
