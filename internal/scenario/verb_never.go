package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// Never sends a request repeatedly. The response must never be the one that expect describes.
type Never struct {
	// The request and the forbidden response. The field within is not allowed.
	Expect Expect `yaml:"expect" jsonschema:"required"`
	// How long to send requests; 3s if not given, and at least as long as the steps of while.
	For Duration `yaml:"for,omitempty"`
	// Steps that run during the requests.
	While []Step `yaml:"while,omitempty"`
}

func (n Never) validate(c *checker, path string) {
	n.Expect.validate(c, path+".expect")
	if n.Expect.Within != 0 {
		c.fault(path+".expect.within", "is not used by never; set for")
	}
	if n.While != nil && len(n.While) == 0 {
		c.fault(path+".while", "has no steps")
	}
	c.steps(path+".while", n.While)
}

func (n Never) traits() traits {
	return traits{request: &n.Expect, session: n.Expect.Session, pod: fieldRef{"expect.from", n.Expect.From}, while: n.While}
}

func (n Never) describe(names isolation) string {
	text := fmt.Sprintf("never for %s: %s", n.For.or(neverFor), n.Expect.describe(names))
	if len(n.While) > 0 {
		text += ", while steps run"
	}
	return text
}

// neverFor is how long to send requests if the file has no for.
const neverFor = 3 * time.Second

// glimpse is a forbidden response and when it arrived.
type glimpse struct {
	after    time.Duration
	observed *probe.Observation
}

// run sends requests for the given time and the response arrived during the nested steps, and fails
// at the first forbidden response. It also fails if no request got a response.
func (n Never) run(ctx context.Context, r *runner, report *StepReport) error {
	request, err := r.request(n.Expect)
	if err != nil {
		return report.broken(err)
	}
	looking, stop := context.WithCancel(ctx)
	defer stop()
	begin := time.Now()
	seen, looked, over := make(chan glimpse, 1), make(chan struct{}), make(chan convergence, 1)
	go func() { over <- r.watch(looking, n.Expect, request, begin, seen, looked) }()
	nested := r.nested(ctx, report, "never.while", n.While)
	left := time.NewTimer(n.For.or(neverFor) - time.Since(begin))
	defer left.Stop()
	var came *glimpse
	select {
	case g := <-seen:
		came = &g
	case <-left.C:
		select { // wait for the first poll, even if n.For is short
		case <-looked:
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	stop()
	c := <-over
	select {
	case g := <-seen: // the response arrived during the nested steps
		came = &g
	default:
	}
	report.settleNever(c, came, n.Expect.describe(r.names), nested == nil)
	report.Outcome = Worst(report.Outcome, report.nestedOutcome())
	if nested != nil {
		return nested
	}
	return nil
}

// watch sends requests until ctx ends, or a forbidden response arrives. It closes looked after the
// first poll.
func (r *runner) watch(ctx context.Context, e Expect, request probe.Request, begin time.Time, seen chan<- glimpse,
	looked chan<- struct{}) convergence {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var c convergence
	for isFirst := true; ; isFirst = false {
		l := r.seeAnswerTo(ctx, e, request, 1)
		c.add(l, ctx.Err() != nil)
		if l.holds() {
			seen <- glimpse{time.Since(begin), l.observed}
		}
		if isFirst {
			close(looked)
		}
		if l.holds() {
			return c
		}
		select {
		case <-ctx.Done():
			return c
		case <-tick.C:
			if ctx.Err() != nil {
				return c
			}
		}
	}
}

// settleNever writes the result of watch into the report.
func (s *StepReport) settleNever(c convergence, came *glimpse, answer string, complete bool) {
	s.Tries, s.Answer = c.tries, answerOf(c.last.observed)
	switch {
	case came != nil:
		s.Outcome, s.Answer = Failed, answerOf(came.observed)
		s.Mismatches = []probe.Mismatch{{
			Field: "answer", Expected: "never: " + answer,
			Observed: fmt.Sprintf("%s, after %.1f s", came.observed.What(), came.after.Seconds()),
		}}
	case c.last.observed == nil && c.err != nil && complete:
		s.Outcome, s.Error = Failed, "no response: "+c.err.Error()
	default:
		s.Outcome = Passed
	}
}
