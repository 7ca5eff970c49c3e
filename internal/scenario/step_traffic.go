package scenario

import (
	"context"
	"sync"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// afterglow is how long traffic flows on when the steps of while are done: what they did may show only then.
const afterglow = time.Second

// traffic sends many requests and judges their answers together. It is done once: what is left to chance must not be
// tried until it comes out right.
func (r *runner) traffic(ctx context.Context, t Traffic, report *StepReport) error {
	request, err := r.request(t.expect())
	if err != nil {
		report.Outcome = Broken
		return err
	}
	total, err := t.total()
	if err != nil {
		report.Outcome = Broken
		return err
	}
	seen := newTally()
	if t.Session != "" {
		seen.add(r.env.HTTP.Do(ctx, request))
		total--
	}
	f := flow{http: r.env.HTTP, request: request, clients: t.concurrency(), rate: t.rate()}
	if t.While == nil {
		f.run(ctx, total, nil, seen)
		return r.judge(ctx, t.Expect, seen, report)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		f.run(ctx, maxRequests, stop, seen)
	}()
	await(ctx, seen.begun)
	nested := r.nested(ctx, report, "traffic.while", t.While)
	glow := time.NewTimer(afterglow)
	defer glow.Stop()
	await(ctx, glow.C)
	close(stop)
	<-stopped
	err = r.judge(ctx, t.Expect, seen, report)
	report.Outcome = Worst(report.Outcome, report.nestedOutcome())
	if nested != nil {
		err = nested
	}
	return err
}

// await waits until something comes, or ctx ends.
func await[T any](ctx context.Context, something <-chan T) {
	select {
	case <-something:
	case <-ctx.Done():
	}
}

// nested runs the steps that happen while another one lasts, up to the first that does not hold, and reports them in the
// other's report. field is where they stand in it: "traffic.while". The error is what is broken.
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

// nestedOutcome is the worst that came of the steps inside.
func (s *StepReport) nestedOutcome() Outcome {
	worst := Passed
	for _, step := range s.While {
		worst = Worst(worst, step.Outcome)
	}
	return worst
}

// expect is the part of a Traffic that an Expect has, too.
func (t Traffic) expect() Expect {
	return Expect{URL: t.URL, Method: t.Method, Header: t.Header, Body: t.Body, Session: t.Session}
}

func (t Traffic) concurrency() int {
	if t.Concurrency == 0 {
		return defaultConcurrency
	}
	return t.Concurrency
}

// rate is how many requests a second are sent at most; 0 for as many as can be.
func (t Traffic) rate() int {
	if t.Rate == 0 && t.While != nil {
		return whileRate
	}
	return t.Rate
}

// total is how many requests are sent: those of the file, or as many as a share takes; 0 if something else says when it
// is enough.
func (t Traffic) total() (int, error) {
	if t.Requests == 0 && t.While == nil && t.Expect.Share != nil {
		return t.Expect.Share.needed()
	}
	return t.Requests, nil
}

// flow is equal requests, from many clients at the same time.
type flow struct {
	http    Prober
	request probe.Request
	clients int
	rate    int
}

// run sends total requests, fewer if stop is closed or ctx ends before, and returns when all are answered. What the end of
// ctx cuts off is not counted.
func (f flow) run(ctx context.Context, total int, stop <-chan struct{}, seen *tally) {
	tickets := make(chan struct{})
	var clients sync.WaitGroup
	for range f.clients {
		clients.Go(func() {
			for range tickets {
				if o := f.http.Do(ctx, f.request); ctx.Err() == nil {
					seen.add(o)
				}
			}
		})
	}
	f.sell(ctx, total, stop, tickets)
	close(tickets)
	clients.Wait()
}

// sell hands out the right to send a request, as often as the rate allows.
func (f flow) sell(ctx context.Context, total int, stop <-chan struct{}, tickets chan<- struct{}) {
	var pace <-chan time.Time
	if f.rate > 0 {
		ticker := time.NewTicker(time.Second / time.Duration(f.rate))
		defer ticker.Stop()
		pace = ticker.C
	}
	for range total {
		if pace != nil {
			select {
			case <-pace:
			case <-stop:
				return
			case <-ctx.Done():
				return
			}
		}
		select {
		case tickets <- struct{}{}:
		case <-stop:
			return
		case <-ctx.Done():
			return
		}
	}
}
