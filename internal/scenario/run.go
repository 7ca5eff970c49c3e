package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// cleanupTimeout limits the cleanup, which an interrupted run needs, too.
const cleanupTimeout = 30 * time.Second

// Run runs a loaded scenario in its own namespace, up to the first failure. Unless env keeps the
// run's objects, Run deletes them, and does not wait for the deletion.
//
// The Report is never nil. The error is not nil exactly if the outcome is Broken.
func Run(ctx context.Context, s *Scenario, env Env) (*Report, error) {
	if env.Seed == 0 {
		env.Seed = NewSeed()
	}
	report := &Report{Scenario: s.Metadata.Name, Title: s.Metadata.Title, File: s.file, Started: time.Now(), Outcome: Passed, Seed: env.Seed,
		Steps: []StepReport{}}
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

// newRun selects a name for the run, or finds the kept run to continue. It returns the steps to
// run.
func newRun(ctx context.Context, s *Scenario, env Env) (*runner, part, error) {
	which, refused := s.part(env)
	if refused != nil {
		return nil, which, refused
	}
	env.Keep = env.Keep || env.Until != ""
	purpose := s.Metadata.Name + env.Variant
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

// script creates the namespace and runs the steps. The error is the cause of Broken.
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

// conclude copies the outcome of the last step into the report, unless the step was skipped. The
// error is the cause of Broken.
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

func broken(outcome Outcome, err error) error {
	if outcome != Broken {
		return nil
	}
	return err
}

func (r *runner) describe(index int, step Step) StepReport { return r.describeAt("steps", index, step) }

// describeAt returns the report of a step that has not run. path is the position of the list of
// steps.
func (r *runner) describeAt(path string, index int, step Step) StepReport {
	v := step.only()
	report := StepReport{Number: index + 1, Name: step.Name, Verb: v.key, Text: v.describe(r.names), path: fmt.Sprintf("%s[%d]", path, index)}
	report.Line = r.positions.At(report.path).Line
	return report
}

// step runs one step and reports it. The error is the cause of Broken.
func (r *runner) step(ctx context.Context, index int, step Step) (StepReport, error) {
	report := r.describe(index, step)
	r.env.progress().StepStarted(report)
	err := r.run(ctx, step, &report)
	r.env.progress().StepDone(report)
	return report, err
}

// run runs a step. report already describes the step.
func (r *runner) run(ctx context.Context, step Step, report *StepReport) error {
	begin, current, limits, around := time.Now(), r.current, r.limits, r.around
	r.current, r.limits, r.around = step, StepLimits{}, append(slices.Clip(around), step.Name)
	if r.env.BeforeStep != nil {
		r.limits = r.env.BeforeStep(step, r.around)
	}
	err := step.only().run(ctx, r, report)
	enough := r.limits.Enough
	r.current, r.limits, r.around = current, limits, around
	report.Seconds = time.Since(begin).Seconds()
	if err != nil {
		report.Error = err.Error()
	}
	if report.Outcome != Passed && ctx.Err() != nil {
		report.Outcome = brokenUnless(ctx)
	}
	switch report.Outcome {
	case Failed, TimedOut, Broken:
		if enough != nil && report.Outcome != Broken && enough(*report) {
			return lost(report, err, r.findLost(ctx)) // the report is complete
		}
		return r.catch(ctx, step, report, err)
	case Interrupted:
		// An interrupted step has no result.
		report.Mismatches, report.Note, report.Error = nil, "", ""
	}
	return err
}

// nested runs steps during another step, up to the first failure, and adds their reports to outer.
// field is their position in outer: "traffic.while". The error is the cause of Broken.
func (r *runner) nested(ctx context.Context, outer *StepReport, field string, steps []Step) error {
	for i, step := range steps {
		report := r.describeAt(outer.path+"."+field, i, step)
		if outer.nestedOutcome() != Passed {
			report.Outcome = Skipped
			outer.While = append(outer.While, report)
			continue
		}
		err := r.run(ctx, step, &report)
		outer.While = append(outer.While, report)
		if err := broken(report.Outcome, err); err != nil {
			return err
		}
	}
	return nil
}

// await waits for a value, or the end of ctx.
func await[T any](ctx context.Context, something <-chan T) {
	select {
	case <-something:
	case <-ctx.Done():
	}
}

// pauseFor waits for span or the end of ctx, and reports whether ctx is still active.
func pauseFor(ctx context.Context, span time.Duration) bool {
	timer := time.NewTimer(span)
	defer timer.Stop()
	await(ctx, timer.C)
	return ctx.Err() == nil
}

// catch adds diagnostics to a failed step. If the API server or the namespace is lost, the step is
// Broken. The error is the cause of Broken.
func (r *runner) catch(ctx context.Context, step Step, report *StepReport, err error) error {
	if report.nestedOutcome() != Passed && len(report.Mismatches) == 0 {
		return err // the nested step has the diagnostics
	}
	diagnostics, gone := r.diagnose(ctx, step)
	report.Diagnostics = diagnostics
	return lost(report, err, gone)
}

// lost makes a step Broken if its cluster or namespace is lost (gone is not nil), and returns the
// cause. Otherwise, it returns err.
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

// brokenUnless returns Broken, or the outcome for the end of ctx if ctx has ended.
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

// close removes the run's objects, even if ctx has ended.
func (r *runner) close(ctx context.Context, report *Report) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if r.env.Keep {
		r.keep(ctx, report)
		return
	}
	if report.PodsKept = r.env.ReusePods && r.keepsPods(ctx, report); report.PodsKept {
		return
	}
	err := errors.Join(
		r.uncordon(ctx),
		r.restoreAll(ctx),
		r.env.Kube.Delete(ctx, r.classes...),
		r.env.Kube.Delete(ctx, slices.DeleteFunc(slices.Clone(r.applied), isNoIngress)...), // at once, because other runs share the ingress
		r.env.Kube.DeleteNamespace(ctx, r.names.namespace, false),
	)
	if err != nil {
		report.Cleanup = err.Error()
	}
}

// keepsPods removes everything but the pods and the namespace. It reports whether another run can
// use them.
func (r *runner) keepsPods(ctx context.Context, report *Report) bool {
	wasJudged := report.Outcome == Passed || report.Outcome == Failed || report.Outcome == TimedOut
	return wasJudged && !r.disturbed && r.clear(ctx) == nil
}

// clear removes all objects but pods, and the Events, which would mislead the diagnostics of the
// next run.
func (r *runner) clear(ctx context.Context) error {
	err := errors.Join(
		r.uncordon(ctx),
		r.restoreAll(ctx),
		r.env.Kube.Delete(ctx, r.classes...),
		r.env.Kube.Delete(ctx, slices.DeleteFunc(slices.Clone(r.applied), hasPods)...),
	)
	if err != nil {
		return err
	}
	return r.env.Kube.Clientset().CoreV1().Events(r.names.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
}

func hasPods(o *unstructured.Unstructured) bool {
	return slices.Contains([]string{"DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"}, o.GetKind())
}

func isNoIngress(o *unstructured.Unstructured) bool { return o.GetKind() != "Ingress" }

// keep leaves all objects in the cluster, and labels the namespace so that a later run can
// continue.
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
