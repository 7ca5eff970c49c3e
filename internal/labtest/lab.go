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

// labProof proves one lab. The order of its parts saves starts of pods: the lesson is played with those of the first start, and before
// the mutants leave Events that it would print; it leaves a lab behind in which everything was done, which is where a reset has to
// show what it can. Then the tasks are done one after the other, each of them wrong in every way before it is done right.
type labProof struct {
	lab     *lab.Lab
	env     Env
	at      places
	session Session
	item    *Item
	// reached are the hints that were given, by id.
	reached map[string]bool
	// unsolved are the tasks that their solutions do not solve.
	unsolved map[string]bool
	// fresh is what there was after the first start.
	fresh []*unstructured.Unstructured
	// before is what there was before the last mutant, when the first solved tasks of the lab were done; nil if that is not known.
	before []*unstructured.Unstructured
	solved int
	// withdrawn is why others may still meet something of the lab.
	withdrawn error
}

func newLabProof(l *lab.Lab, env Env, item *Item) *labProof {
	return &labProof{
		lab: l, env: env, at: placesOf(l), session: env.open(l), item: item, reached: map[string]bool{}, unsolved: map[string]bool{},
	}
}

// prove goes through a lab as a student never would: wrong in every way that it names, and right in between. What nobody else can meet
// of the lab is left for leave to remove.
func (p *labProof) prove(ctx context.Context) {
	p.part(ctx, KindStart, "fails from start/", p.at.tasks(), p.start)
	p.part(ctx, KindLesson, "the lesson's outputs are what the cluster says", Fault{File: p.at.lesson, Line: 1}, p.lesson)
	if p.env.Verify != nil {
		p.part(ctx, KindReset, "reset returns to start/", p.at.tasks(), p.reset)
	}
	p.tasks(ctx)
	p.part(ctx, KindQuiz, "the cluster answers the quiz", p.at.quiz(), p.quiz)
	if p.env.Verify == nil {
		p.part(ctx, KindReset, "reset returns to start/", p.at.tasks(), p.reset)
	}
	p.part(ctx, KindHints, "every hint is given when its fault is there", p.at.hints(), p.hints)
	if !p.env.Keep && ctx.Err() == nil {
		p.withdrawn = p.session.Withdraw(ctx)
	}
}

// finding is what came of one part. With err, nothing could be judged.
type finding struct {
	seen    string
	skipped string
	faults  []Fault
	err     error
	// took is what was done for it before.
	took time.Duration
}

func faulty(faults ...Fault) finding { return finding{faults: faults} }

// part runs one part and reports it. Once the cluster has failed, the rest is not tried.
func (p *labProof) part(ctx context.Context, kind, text string, at Fault, prove func(context.Context) finding) {
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
		f = prove(ctx)
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

// notTried is why a part is skipped after one that could not be judged.
const notTried = "not tried, for the cluster failed before"

func (p *labProof) isBroken() bool {
	return slices.ContainsFunc(p.item.Parts, func(part Part) bool { return part.Outcome == scenario.Broken })
}

// start shows that nothing is solved yet, but what is said to be.
func (p *labProof) start(ctx context.Context) finding {
	if err := p.vacant(ctx); err != nil {
		return finding{err: err}
	}
	if _, err := p.session.Start(ctx); err != nil {
		return finding{err: err}
	}
	var err error
	if p.fresh, err = p.session.Holdings(ctx); err != nil {
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

// vacant returns an error if somebody may be at work in the lab's namespace.
func (p *labProof) vacant(ctx context.Context) error {
	if !p.env.Guest {
		return nil
	}
	_, err := p.env.Kube.Clientset().CoreV1().Namespaces().Get(ctx, p.lab.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("namespace %s: %w", p.lab.Namespace, err)
	}
	return fmt.Errorf("namespace %s is in use in this cluster, and the proof would change what is in it: `kubectl delete namespace %[1]s` first, "+
		"or prove in a cluster that is made for it", p.lab.Namespace)
}

// untouched looks at every task of a lab that nobody has begun.
func (p *labProof) untouched(ctx context.Context) finding {
	var f finding
	for _, task := range p.lab.Tasks {
		if task.PassesAtStart {
			if fault, ok := p.holds(ctx, task, "has to hold from start/"); !ok {
				f.faults = append(f.faults, fault)
			}
			continue
		}
		report := scenario.ExpectFailure(ctx, p.env.Env.Env, p.lab.Namespace, task.Check, p.env.Patience.Refute)
		switch report.Outcome {
		case scenario.Failed:
		case scenario.Passed:
			fault := p.at.task(task.ID)
			fault.Text = fmt.Sprintf("task %s: the check holds from start/ already, so it cannot tell whether the task was done", task.ID)
			f.faults = append(f.faults, fault)
		default:
			f.err = fmt.Errorf("task %s: %s", task.ID, report.Why())
			return f
		}
	}
	f.seen = fmt.Sprintf("%s not done", text.Count(len(p.todo()), "task"))
	return f
}

// todo are the tasks that start/ has not done.
func (p *labProof) todo() []lab.Task {
	return slices.DeleteFunc(slices.Clone(p.lab.Tasks), func(t lab.Task) bool { return t.PassesAtStart })
}

// holds runs a check that has to hold.
func (p *labProof) holds(ctx context.Context, task lab.Task, claim string) (Fault, bool) {
	reports := scenario.Check(ctx, p.env.Env.Env, p.lab.Namespace, task.Check)
	if len(reports) == 0 {
		return Fault{}, true
	}
	last := reports[len(reports)-1]
	if last.Outcome == scenario.Passed {
		return Fault{}, true
	}
	fault := p.at.task(task.ID)
	fault.Text = fmt.Sprintf("task %s: the check %s: %s: %s", task.ID, claim, last.Text, last.Why())
	return fault, false
}

// listen notes which hints are given for a task as things are.
func (p *labProof) listen(ctx context.Context, task string) error {
	_, err := p.advice(ctx, task)
	return err
}

func (p *labProof) advice(ctx context.Context, task string) ([]lab.Advice, error) {
	given, err := p.session.Advise(ctx, task)
	for _, a := range given {
		p.reached[a.Hint] = true
	}
	return given, err
}

// quiz asks the question, and takes the cluster's answer for right.
func (p *labProof) quiz(ctx context.Context) finding {
	if p.lab.Quiz == nil {
		return finding{skipped: "the lab has no quiz"}
	}
	if len(p.unsolved) > 0 {
		return finding{skipped: "the lab is not solved"}
	}
	at := p.at.quiz()
	q, err := p.session.Pose(ctx)
	if err != nil {
		at.Text = fmt.Sprintf("quiz: no question can be asked: %v", err)
		return faulty(at)
	}
	if len(q.Choices) < 2 {
		at.Text = fmt.Sprintf("quiz: there has to be something to choose from: the choices are %q", q.Choices)
		return faulty(at)
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

// reset shows that there is a way back, whatever has been done.
func (p *labProof) reset(ctx context.Context) finding {
	if _, err := p.session.Reset(ctx); err != nil {
		return finding{err: err}
	}
	now, err := p.session.Holdings(ctx)
	if err != nil {
		return finding{err: err}
	}
	f := p.untouched(ctx)
	at := p.at.tasks()
	for _, difference := range slices.Concat(strangers(p.lab, now), differences(p.fresh, now)) {
		f.faults = append(f.faults, Fault{File: at.File, Line: at.Line, Text: "after the reset, " + difference})
	}
	if len(f.faults) == 0 {
		f.seen = fmt.Sprintf("%s as at the start", text.Count(len(now), "object"))
	}
	return f
}

// lesson plays the commands of the lesson.
func (p *labProof) lesson(ctx context.Context) finding {
	if p.env.Verify == nil {
		return finding{skipped: p.env.NoVerify}
	}
	commands, faults, err := p.env.Verify(ctx, p.lab)
	return finding{seen: text.Count(commands, "lesson command"), faults: faults, err: err}
}

// removeTimeout bounds the removal of a lab, which goes on when the proof itself was interrupted.
const removeTimeout = 2 * time.Minute

// leave removes the lab, and shows that nothing of it is left outside of its namespace.
func (p *labProof) leave(ctx context.Context) {
	if p.env.Keep {
		return
	}
	if ctx.Err() != nil {
		return // the cluster goes, or whoever keeps it wants to see it as it is
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
			at := p.at.tasks()
			at.Text = fmt.Sprintf("after the lab was removed, %s is still there", name)
			f.faults = append(f.faults, at)
		}
		f.err = err
		return f
	})
}

// awaitNothing returns what is left of the lab once it has had the time to go away.
func (p *labProof) awaitNothing(ctx context.Context) ([]string, error) {
	deadline := time.Now().Add(p.env.Patience.Gone)
	for {
		objects, err := p.session.Holdings(ctx)
		if err != nil || len(objects) == 0 {
			return nil, err
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return namesOf(objects), errors.Join(ctx.Err())
		}
		sleep(ctx, poll)
	}
}

// poll is how long to wait between two looks.
const poll = 200 * time.Millisecond
