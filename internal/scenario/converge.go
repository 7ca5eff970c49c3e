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

// The patience of the verbs.
const (
	// pollInterval is how long to wait between two looks: short, because a controller is expected to act in milliseconds
	// and the next step waits for it.
	pollInterval = 75 * time.Millisecond
	// slowInterval is what it grows to while what is looked for does not come: that takes pods, or it is not to come at all, and
	// the looks of a few runs keep a processor busy.
	slowInterval = 4 * pollInterval
	// slowing is by which factor it grows with every look.
	slowing = 1.1
	// steady is how many looks in a row have to hold. One could be luck: a second replica of the controller, or a pod that
	// is just leaving, would have answered the next.
	steady = 3

	expectWithin = 30 * time.Second
	waitWithin   = time.Minute
)

// pollResult is what one poll sees of whether something holds: what differs, or why it could not be seen.
type pollResult struct {
	mismatches []probe.Mismatch
	err        error
	// observed is the HTTP answer, if the look was for one.
	observed *probe.Observation
}

func (l pollResult) holds() bool { return l.err == nil && len(l.mismatches) == 0 }

// polling says how long and how often to poll.
type polling struct {
	within time.Duration
	streak int
	// early ends it earlier; nil does not.
	early *earlyStop
}

// convergence is what looking came to.
type convergence struct {
	held  bool
	tries int
	// mismatch is the last pollResult that saw something else than expected. A later look that saw nothing does not replace it:
	// what was wrong says more than that the polling failed in the end.
	mismatch pollResult
	// err is why the last looks saw nothing; nil if the last one saw something.
	err error
	// last is the last pollResult that saw something.
	last pollResult
	// inARow is how many of the last looks held.
	inARow int
}

// converge looks until it holds p.streak times in a row, and for p.within at most. Looks that hold when the time is over have as
// much time again to go on holding: a slow machine needs it for the looks themselves, and they have become right in time. So has
// whoever has seen nothing by then, because not one look has come to its end.
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

// pauses are the times between looks that do not hold.
func pauses() *wait.Backoff {
	return &wait.Backoff{Duration: pollInterval, Factor: slowing, Cap: slowInterval, Steps: math.MaxInt}
}

// poll polls until it has held p.streak times in a row, p.early ends it, or ctx ends; if it is held over, it ends with the first look
// that does not hold, too.
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

// add counts a look. One that was cut off by the end of the time says nothing, unless there is nothing else to say.
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

// unopposed reports whether at least one poll held, and none failed.
func (c convergence) unopposed() bool {
	return c.inARow > 0 && len(c.mismatch.mismatches) == 0
}

// explain returns what to report of a convergence that did not come about.
func (c convergence) explain() ([]probe.Mismatch, string) {
	mismatches, note := c.mismatch.mismatches, ""
	if c.inARow > 0 {
		note = fmt.Sprintf("it held in the last %d polls, which is not enough", c.inARow)
	}
	if c.err != nil {
		note = "the last pollResult failed: " + c.err.Error()
	}
	return mismatches, note
}

// settle writes the result of polling into the report; otherwise is the outcome if it did not hold.
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

// polling returns how a step polls: for the given time, or the default, and within the limits of the step.
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

// earlyStop ends a step before its time, once the polls have seen the same for a while and the report says enough.
type earlyStop struct {
	r      *runner
	step   Step
	limits StepLimits
	// report is the step's, without what the polls have seen.
	report StepReport
	// same is what the polls have seen since a time.
	same  []probe.Mismatch
	since time.Time
}

// earlyStop returns the early stop of the present step; nil if its limits have none.
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
	e.since = time.Now() // diagnostics cost time: wait as long again before the next ones
	report := e.report
	report.Outcome, report.Mismatches, report.Answer = Failed, l.mismatches, answerOf(l.observed)
	if e.limits.Enough(report) {
		return true
	}
	diagnostics, lost := e.r.diagnose(ctx, e.step)
	report.Diagnostics = diagnostics
	return lost == nil && e.limits.Enough(report)
}
