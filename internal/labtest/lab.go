package labtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/text"
)

// labTest tests one lab. The order of its parts avoids starting pods again. First, the lesson uses
// the pods of the first start, before mutants cause Events that change its output. A reset follows.
// Then the mutants of each task run before the task's solution.
type labTest struct {
	lab      *lab.Lab
	env      Env
	at       places
	session  Session
	item     *Item
	reached  map[string]bool              // reached are the hints that appeared, by ID
	unsolved map[string]bool              // unsolved are the tasks whose solutions fail
	fresh    []*unstructured.Unstructured // fresh are the objects after the first start
	// before are the objects before the last mutant, when the first `solved` tasks were solved. It
	// is nil if unknown.
	before    []*unstructured.Unstructured
	solved    int
	withdrawn error // withdrawn is the error that Withdraw returned
}

func newLabTest(l *lab.Lab, env Env, item *Item) *labTest {
	return &labTest{
		lab: l, env: env, at: placesOf(l), session: env.open(l), item: item, reached: map[string]bool{}, unsolved: map[string]bool{},
	}
}

// test runs the parts. leave removes the objects that do not affect other labs.
func (p *labTest) test(ctx context.Context) {
	p.part(ctx, KindStart, "fails at the start", p.at.tasks(), p.start)
	p.part(ctx, KindLesson, "the lesson's outputs match the cluster", Diagnostic{File: p.at.lesson, Line: 1}, p.lesson)
	if p.env.Verify != nil {
		p.part(ctx, KindReset, "reset returns to start/", p.at.tasks(), p.reset)
	}
	p.tasks(ctx)
	p.part(ctx, KindQuiz, "the cluster answers the quiz", p.at.quiz(), p.quiz)
	if p.env.Verify == nil {
		p.part(ctx, KindReset, "reset returns to start/", p.at.tasks(), p.reset)
	}
	p.part(ctx, KindHints, "each hint appears", p.at.hints(), p.hints)
	if !p.env.Keep && ctx.Err() == nil {
		p.withdrawn = p.session.Withdraw(ctx)
	}
}

// finding is the result of one part. If err is not nil, the part was not evaluated.
type finding struct {
	seen    string
	skipped string
	faults  []Diagnostic
	err     error
	took    time.Duration // took is the duration of work for the part before it began
}

func faulty(faults ...Diagnostic) finding { return finding{faults: faults} }

// part runs one part and reports it. It skips the part if the cluster has failed before.
func (p *labTest) part(ctx context.Context, kind, text string, at Diagnostic, test func(context.Context) finding) {
	part := Part{Kind: kind, Text: text, File: at.File, Line: at.Line, Outcome: scenario.Skipped}
	begin := time.Now()
	var f finding
	switch {
	case ctx.Err() != nil:
		return
	case p.isBroken():
		part.Reason = notTried
		p.item.Parts = append(p.item.Parts, part)
		return
	default:
		f = test(ctx)
	}
	part.Seconds = (f.took + time.Since(begin)).Seconds()
	part.Seen, part.Faults = f.seen, f.faults
	switch {
	case f.err != nil:
		part.Outcome, part.Reason = outcomeOf(ctx), f.err.Error()
	case len(f.faults) > 0:
		part.Outcome = scenario.Failed
	case f.skipped != "":
		part.Reason = f.skipped
	default:
		part.Outcome = scenario.Passed
	}
	p.item.Parts = append(p.item.Parts, part)
}

// notTried is the reason of parts after a failure of the cluster.
const notTried = "not tried: the cluster failed before"

func (p *labTest) isBroken() bool {
	return slices.ContainsFunc(p.item.Parts, func(part Part) bool { return part.Outcome == scenario.Broken })
}

// start starts the lab. Only tasks with passesAtStart can pass.
func (p *labTest) start(ctx context.Context) finding {
	if err := p.vacant(ctx); err != nil {
		return finding{err: err}
	}
	if _, err := p.session.Start(ctx); err != nil {
		return finding{err: err}
	}
	var err error
	if p.fresh, err = p.session.Objects(ctx); err != nil {
		return finding{err: err}
	}
	f := p.untouched(ctx)
	for _, task := range p.todo() {
		if err := p.listen(ctx, task.ID); err != nil && f.err == nil {
			f.err = err
		}
	}
	return f
}

// vacant returns an error if the lab's namespace exists in an existing cluster.
func (p *labTest) vacant(ctx context.Context) error {
	if !p.env.Existing {
		return nil
	}
	_, err := p.env.Kube.Clientset().CoreV1().Namespaces().Get(ctx, p.lab.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("namespace %s: %w", p.lab.Namespace, err)
	}
	return fmt.Errorf("namespace %s already exists; run `kubectl delete namespace %[1]s`, or use a new cluster", p.lab.Namespace)
}

// untouched checks each task at the start of the lab.
func (p *labTest) untouched(ctx context.Context) finding {
	var f finding
	for _, task := range p.lab.Tasks {
		if task.PassesAtStart {
			if fault, ok := p.holds(ctx, task, "has to pass at the start"); !ok {
				f.faults = append(f.faults, fault)
			}
			continue
		}
		report := scenario.ExpectFailure(ctx, p.env.Env.Env, p.lab.Namespace, task.Check, p.env.Timeouts.Failure)
		switch report.Outcome {
		case scenario.Failed:
		case scenario.Passed:
			f.faults = append(f.faults, p.at.task(task.ID).with("task %s: the check passes before the task is done", task.ID))
		default:
			f.err = fmt.Errorf("task %s: %s", task.ID, report.Why())
			return f
		}
	}
	f.seen = fmt.Sprintf("%s not done", text.Count(len(p.todo()), "task"))
	return f
}

func (p *labTest) todo() []lab.Task {
	return slices.DeleteFunc(slices.Clone(p.lab.Tasks), func(t lab.Task) bool { return t.PassesAtStart })
}

// holds runs a check that has to pass. claim completes the error "the check ...".
func (p *labTest) holds(ctx context.Context, task lab.Task, claim string) (Diagnostic, bool) {
	reports := scenario.Check(ctx, p.env.Env.Env, p.lab.Namespace, task.Check)
	if len(reports) == 0 {
		return Diagnostic{}, true
	}
	last := reports[len(reports)-1]
	if last.Outcome == scenario.Passed {
		return Diagnostic{}, true
	}
	fault := p.at.task(task.ID)
	fault.Text = fmt.Sprintf("task %s: the check %s: %s: %s", task.ID, claim, last.Text, last.Why())
	return fault, false
}

// listen records the hints that appear for a task now.
func (p *labTest) listen(ctx context.Context, task string) error {
	_, err := p.advice(ctx, task)
	return err
}

func (p *labTest) advice(ctx context.Context, task string) ([]lab.Advice, error) {
	given, err := p.session.Advise(ctx, task)
	for _, a := range given {
		p.reached[a.Hint] = true
	}
	return given, err
}

// quiz submits a choice, and checks the grade against the cluster's answer.
func (p *labTest) quiz(ctx context.Context) finding {
	if p.lab.Quiz == nil {
		return finding{skipped: "the lab has no quiz"}
	}
	if len(p.unsolved) > 0 {
		return finding{skipped: "the lab is not solved"}
	}
	at := p.at.quiz()
	q, err := p.session.Pose(ctx)
	if err != nil {
		return faulty(at.with("quiz: the question is not available: %v", err))
	}
	if len(q.Choices) < 2 {
		return faulty(at.with("quiz: at least two choices are needed: the choices are %q", q.Choices))
	}
	g, err := p.session.Grade(ctx, q.Choices[0])
	switch {
	case err != nil:
		at.Text = fmt.Sprintf("quiz: the cluster cannot answer: %v", err)
	case !slices.Contains(q.Choices, g.Truth):
		at.Text = fmt.Sprintf("quiz: the cluster's answer %q is none of the choices: %s (%s)", g.Truth, strings.Join(q.Choices, ", "), g.Evidence)
	case g.Right != (g.Truth == q.Choices[0]):
		at.Text = fmt.Sprintf("quiz: the choice %q is graded as right: %t, and the truth is %q", q.Choices[0], g.Right, g.Truth)
	default:
		return finding{seen: fmt.Sprintf("%s (%s)", g.Truth, g.Evidence)}
	}
	return faulty(at)
}

// reset resets the lab, and compares its objects with those of the first start.
func (p *labTest) reset(ctx context.Context) finding {
	if _, err := p.session.Reset(ctx); err != nil {
		return finding{err: err}
	}
	now, err := p.session.Objects(ctx)
	if err != nil {
		return finding{err: err}
	}
	f := p.untouched(ctx)
	at := p.at.tasks()
	for _, difference := range slices.Concat(unexpected(p.lab, now), differences(p.fresh, now)) {
		f.faults = append(f.faults, Diagnostic{File: at.File, Line: at.Line, Text: "after the reset, " + difference})
	}
	if len(f.faults) == 0 {
		f.seen = fmt.Sprintf("%s as at the start", text.Count(len(now), "object"))
	}
	return f
}

func (p *labTest) lesson(ctx context.Context) finding {
	if p.env.Verify == nil {
		return finding{skipped: p.env.NoVerify}
	}
	commands, faults, err := p.env.Verify(ctx, p.lab)
	return finding{seen: text.Count(commands, "lesson command"), faults: faults, err: err}
}

// removeTimeout limits the removal of a lab.
const removeTimeout = 2 * time.Minute

// leave removes the lab, and checks that no object remains.
func (p *labTest) leave(ctx context.Context) {
	if p.env.Keep {
		return
	}
	if ctx.Err() != nil {
		return // the cluster is removed, or kept for debugging
	}
	p.part(ctx, KindReset, "removing the lab leaves nothing behind", p.at.tasks(), func(ctx context.Context) finding {
		ctx, cancel := context.WithTimeout(ctx, removeTimeout)
		defer cancel()
		if err := errors.Join(p.withdrawn, p.session.Remove(ctx)); err != nil {
			return finding{err: err}
		}
		left, err := p.awaitNothing(ctx)
		var f finding
		for _, name := range left {
			f.faults = append(f.faults, p.at.tasks().with("after the lab was removed, %s still exists", name))
		}
		f.err = err
		return f
	})
}

// awaitNothing waits until no object of the lab remains, and returns the names of objects that do.
func (p *labTest) awaitNothing(ctx context.Context) ([]string, error) {
	deadline := time.Now().Add(p.env.Timeouts.Gone)
	for {
		objects, err := p.session.Objects(ctx)
		if err != nil || len(objects) == 0 {
			return nil, err
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return namesOf(objects), errors.Join(ctx.Err())
		}
		sleep(ctx, poll)
	}
}

// poll is the pause between two polls.
const poll = 200 * time.Millisecond
