package scenario

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// Limits of the polling that verbs share.
const (
	// pollInterval is the pause between two polls. It is short, because controllers act in
	// milliseconds.
	pollInterval = 75 * time.Millisecond
	// slowInterval is the longest pause while the polls fail, because frequent polls of a few runs
	// keep a CPU busy.
	slowInterval = 4 * pollInterval
	slowing      = 1.1 // slowing is the factor by which the pause grows with each poll
	// steady is how many polls in a row have to pass. A single poll might not reach each replica of
	// the controller, or a pod that still terminates.
	steady = 3

	expectWithin = 30 * time.Second
	waitWithin   = time.Minute
)

// pollResult is the result of one poll: the differences, or the error that prevented it.
type pollResult struct {
	mismatches []probe.Mismatch
	err        error
	observed   *probe.Observation // observed is the HTTP response, or nil if the poll sent no request
}

// differs returns the result of a poll with one difference.
func differs(field, expected, observed string) pollResult {
	return pollResult{mismatches: []probe.Mismatch{{Field: field, Expected: expected, Observed: observed}}}
}

func (l pollResult) holds() bool { return l.err == nil && len(l.mismatches) == 0 }

// polling is how long and how often to poll.
type polling struct {
	within time.Duration
	streak int
	early  *earlyStop // early can end the polling before its time; it can be nil
}

// convergence is the result of polling.
type convergence struct {
	held  bool
	tries int
	// mismatch is the last poll with differences. A later error does not replace it, because the
	// differences say more.
	mismatch pollResult
	err      error      // err is the error of the last poll, or nil
	last     pollResult // last is the last poll without an error
	inARow   int        // inARow is how many of the last polls passed
}

// converge polls until p.streak polls in a row pass, for at most p.within. If the last poll passed,
// or the first poll timed out, it polls for another p.within, because polls take longer on a slow
// machine.
func converge(ctx context.Context, p polling, see func(context.Context) pollResult) convergence {
	inTime, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	var c convergence
	c.poll(inTime, p, see, false)
	if c.held || c.inARow == 0 && !c.wasBlind() {
		return c
	}
	longer, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	if pauseFor(longer, pollInterval) {
		c.poll(longer, p, see, c.inARow > 0)
	}
	return c
}

func pauses() *wait.Backoff {
	return &wait.Backoff{Duration: pollInterval, Factor: slowing, Cap: slowInterval, Steps: math.MaxInt}
}

// poll polls until p.streak polls in a row pass, p.early stops it, or ctx ends. If heldOver is
// true, a failing poll ends it, too.
func (c *convergence) poll(ctx context.Context, p polling, see func(context.Context) pollResult, heldOver bool) {
	slower := pauses()
	for {
		l := see(ctx)
		c.add(l, ctx.Err() != nil)
		if c.held = c.inARow >= p.streak; c.held || heldOver && c.inARow == 0 || p.early.caught(ctx, l) {
			return
		}
		pause := pollInterval
		if c.inARow == 0 {
			pause = slower.Step()
		}
		if !pauseFor(ctx, pause) {
			return
		}
	}
}

// add counts a poll. It ignores a poll that the end of ctx canceled, unless it is the first.
func (c *convergence) add(l pollResult, ended bool) {
	if l.err != nil && ended && c.tries > 0 {
		return
	}
	c.tries++
	if l.holds() {
		c.inARow++
	} else {
		c.inARow = 0
	}
	c.err = l.err
	if l.err == nil {
		c.last = l
		if !l.holds() {
			c.mismatch = l
		}
	}
}

// wasBlind reports whether the first poll timed out.
func (c convergence) wasBlind() bool {
	return c.tries == 1 && errors.Is(c.err, context.DeadlineExceeded)
}

// unopposed reports whether at least one poll passed, and none failed.
func (c convergence) unopposed() bool {
	return c.inARow > 0 && len(c.mismatch.mismatches) == 0
}

// explain returns the differences and a note for a poll that did not pass.
func (c convergence) explain() ([]probe.Mismatch, string) {
	switch {
	case c.err != nil:
		return c.mismatch.mismatches, "the last poll failed: " + c.err.Error()
	case c.inARow > 0:
		return c.mismatch.mismatches, fmt.Sprintf("only the last %d polls passed, which is not enough", c.inARow)
	}
	return c.mismatch.mismatches, ""
}

// settle writes the result of polling into the report. The outcome of a failure is otherwise.
func (s *StepReport) settle(c convergence, otherwise Outcome) error {
	s.Tries, s.Answer = c.tries, answerOf(c.last.observed)
	if c.held {
		s.Outcome = Passed
		return nil
	}
	s.Outcome = otherwise
	s.Mismatches, s.Note = c.explain()
	if len(s.Mismatches) == 0 {
		s.Note = ""
		return c.err
	}
	s.Answer = answerOf(c.mismatch.observed)
	return nil
}

// polling returns how long and how often a step polls. The time is given, or otherwise if given is
// 0. The step's limits can shorten the time.
func (r *runner) polling(given Duration, otherwise time.Duration, streak int, report *StepReport) polling {
	return polling{within: r.within(given, otherwise), streak: streak, early: r.earlyStop(report)}
}

func (r *runner) within(given Duration, otherwise time.Duration) time.Duration {
	span := given.or(otherwise)
	if r.limits.Within > 0 {
		span = min(span, r.limits.Within)
	}
	return span
}

// earlyStop ends a step when its polls return the same differences for some time, and
// StepLimits.Enough accepts its report.
type earlyStop struct {
	r      *runner
	step   Step
	limits StepLimits
	report StepReport       // report is the step's report before the polls
	same   []probe.Mismatch // same are the differences of all polls after since
	since  time.Time
}

// earlyStop returns the early stop of the current step. It is nil if the step must not stop early.
func (r *runner) earlyStop(report *StepReport) *earlyStop {
	if r.limits.Enough == nil {
		return nil
	}
	return &earlyStop{r: r, step: r.current, limits: r.limits, report: *report}
}

// caught reports whether the latest poll is enough to stop.
func (e *earlyStop) caught(ctx context.Context, l pollResult) bool {
	if e == nil || l.err != nil || l.holds() {
		return false
	}
	if !reflect.DeepEqual(e.same, l.mismatches) {
		e.same, e.since = l.mismatches, time.Now()
	}
	if time.Since(e.since) < e.limits.StableFor {
		return false
	}
	e.since = time.Now() // collecting diagnostics is slow, so wait for StableFor before doing it again
	report := e.report
	report.Outcome, report.Mismatches, report.Answer = Failed, l.mismatches, answerOf(l.observed)
	if e.limits.Enough(report) {
		return true
	}
	diagnostics, lost := e.r.diagnose(ctx, e.step)
	report.Diagnostics = diagnostics
	return lost == nil && e.limits.Enough(report)
}
