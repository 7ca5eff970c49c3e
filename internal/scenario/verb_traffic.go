package scenario

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/text"
)

// Traffic is a number of equal requests, and the expected statistics of their responses.
type Traffic struct {
	// As in expect.
	URL string `yaml:"url" jsonschema:"required,pattern=^https?://"`
	// The requests' method, GET if not given.
	Method string `yaml:"method,omitempty"`
	// The requests' headers.
	Header map[string]string `yaml:"header,omitempty"`
	// The requests' body.
	Body string `yaml:"body,omitempty"`
	// Name of a session, as in expect. Its first request gets the cookies before the others start.
	Session string `yaml:"session,omitempty"`
	// The number of requests. If while is given, its steps determine the number. If distinguishFrom
	// is given, the number follows from the share.
	Requests int `yaml:"requests,omitempty" jsonschema:"minimum=1,maximum=100000"`
	// The maximum number of requests per second. If not given, it is 200 with while, and unlimited
	// otherwise.
	Rate int `yaml:"rate,omitempty" jsonschema:"minimum=1,maximum=10000"`
	// Steps that run during the traffic, which lasts from the first response to one second after
	// the last step.
	While []Step `yaml:"while,omitempty"`
	// The number of concurrent requests, 8 if not given.
	Concurrency int `yaml:"concurrency,omitempty" jsonschema:"minimum=1,maximum=256"`
	// The expected statistics.
	Expect TrafficExpect `yaml:"expect" jsonschema:"required"`
}

// TrafficExpect are the expected statistics. At least one field is given.
type TrafficExpect struct {
	// The maximum number of failed requests. A request fails without a complete response, or with a
	// status of 500 or more.
	Failures *int `yaml:"failures,omitempty" jsonschema:"minimum=0"`
	// All statuses that occur.
	Statuses []int `yaml:"statuses,omitempty"`
	// The time to complete responses.
	Latency *Latency `yaml:"latency,omitempty"`
	// The number of different responding pods.
	Pods *int `yaml:"pods,omitempty" jsonschema:"minimum=0"`
	// The share of one service or app.
	Share *Share `yaml:"share,omitempty"`
}

// Share is the percentage of responses that come from one service or app. The test assumes that
// each response is random and independent. The confidence determines the accepted counts.
type Share struct {
	// Name of the Service whose endpoints respond.
	Service string `yaml:"service,omitempty"`
	// Name of the demo application.
	App string `yaml:"app,omitempty"`
	// The expected share in percent.
	Percent float64 `yaml:"percent" jsonschema:"required,minimum=0,maximum=100"`
	// The probability that a correct controller passes, in percent; 99.9 if not given.
	Confidence float64 `yaml:"confidence,omitempty" jsonschema:"minimum=50,maximum=99.9999"`
	// A wrong share, in percent, that the test has to distinguish from the right one. If requests
	// is not given, this share determines the number of requests.
	DistinguishFrom float64 `yaml:"distinguishFrom,omitempty" jsonschema:"minimum=0,maximum=100"`
	// The probability that a controller with the wrong share fails, in percent; 99.9 if not given.
	Power float64 `yaml:"power,omitempty" jsonschema:"minimum=50,maximum=99.9999"`
}

// Latency limits the duration of complete responses. At least one field is given.
type Latency struct {
	// The maximum duration of the fastest half of the responses.
	P50 Duration `yaml:"p50,omitempty"`
	// The maximum duration of the fastest 99% of the responses.
	P99 Duration `yaml:"p99,omitempty"`
}

const (
	// defaultConfidence makes a correct controller fail once in a thousand runs.
	defaultConfidence  = 99.9
	defaultConcurrency = 8
	// whileRate detects a gap of some milliseconds, and leaves CPU time for the nested steps.
	whileRate = 200
)

func (t Traffic) validate(c *checker, path string) {
	t.expect().validateRequest(c, path)
	t.validateRequests(c, path)
	if t.Rate < 0 || t.Rate > 10000 {
		c.fault(path+".rate", "%d is not between 1 and 10000 requests a second", t.Rate)
	}
	if t.Concurrency < 0 || t.Concurrency > 256 {
		c.fault(path+".concurrency", "%d is not between 1 and 256", t.Concurrency)
	}
	e := t.Expect
	if e.Failures == nil && e.Statuses == nil && e.Pods == nil && e.Share == nil && e.Latency == nil {
		c.fault(path+".expect", "needs an expectation: failures, statuses, latency, pods or share")
	}
	if e.Latency != nil && *e.Latency == (Latency{}) {
		c.fault(path+".expect.latency", "needs p50 or p99")
	}
	if e.Share != nil {
		e.Share.validate(c, path+".expect.share")
	}
	if t.While != nil && len(t.While) == 0 {
		c.fault(path+".while", "has no steps")
	}
	c.steps(path+".while", t.While)
}

// validateRequests checks that exactly one field determines the number of requests.
func (t Traffic) validateRequests(c *checker, path string) {
	at := path + ".requests"
	_, isGiven := c.positions[at]
	isGiven = isGiven || t.Requests != 0
	derived := t.Expect.Share != nil && t.Expect.Share.tells()
	switch {
	case t.While != nil && isGiven:
		c.fault(at, "cannot be combined with while, which says how long the traffic lasts")
	case t.While != nil:
	case isGiven && (t.Requests < 1 || t.Requests > maxRequests):
		c.fault(at, "%d is not a number of requests (1 to %d)", t.Requests, maxRequests)
	case isGiven || derived:
	case t.Expect.Share != nil:
		c.fault(at, "is missing; set it, or distinguishFrom of the share")
	default:
		c.fault(at, "is missing; set it, or steps in while")
	}
}

func (s Share) validate(c *checker, path string) {
	if (s.Service == "") == (s.App == "") {
		c.fault(path, "needs exactly one of service and app")
	}
	sound := true
	percentage := func(field string, value, least, most float64) {
		if value < least || value > most {
			c.fault(path+"."+field, "%g is not between %g and %g percent", value, least, most)
			sound = false
		}
	}
	percentage("percent", s.Percent, 0, 100)
	percentage("confidence", s.confidence(), 50, 99.9999)
	percentage("power", s.power(), 50, 99.9999)
	percentage("distinguishFrom", s.DistinguishFrom, 0, 100)
	switch {
	case !sound:
	case !s.tells() && s.Power != 0:
		c.fault(path+".power", "needs distinguishFrom, a wrong share")
	case !s.tells():
	case s.DistinguishFrom == s.Percent:
		c.fault(path+".distinguishFrom", "%g is the right share; it has to be a wrong one", s.DistinguishFrom)
	default:
		if _, err := s.needed(); err != nil {
			c.fault(path+".distinguishFrom", "%g and %g percent %v; take one that is further away", s.DistinguishFrom, s.Percent, err)
		}
	}
}

func (t Traffic) validateInCheck(c *checker, path string) {
	if t.While != nil {
		c.fault(path+".while", "is not allowed in a check, which changes nothing; set requests")
	}
}

func (t Traffic) traits() traits {
	e := t.expect()
	return traits{once: true, request: &e, session: t.Session, while: t.While}
}

func (Traffic) streak() int { return 1 }

func (t Traffic) describe(names isolation) string {
	request := t.expect().describeRequest(names)
	if t.While != nil {
		return fmt.Sprintf("%s, repeatedly during %s", request, text.Count(len(t.While), "step"))
	}
	total, err := t.total()
	if err != nil {
		return "requests: " + request
	}
	return fmt.Sprintf("%s: %s", text.Count(total, "request"), request)
}

// afterglow is how long traffic continues after the nested steps, because their effects might be
// delayed.
const afterglow = time.Second

// run sends many requests and judges the responses together. It does so only once, because a test
// must not repeat a random result until it passes.
func (t Traffic) run(ctx context.Context, r *runner, report *StepReport) error {
	request, err := r.request(t.expect())
	if err != nil {
		return report.broken(err)
	}
	total, err := t.total()
	if err != nil {
		return report.broken(err)
	}
	seen := newTally()
	if t.Session != "" {
		seen.add(r.env.HTTP.Do(ctx, request))
		total--
	}
	f := flow{http: r.env.HTTP, request: request, clients: cmp.Or(t.Concurrency, defaultConcurrency), rate: t.rate()}
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

func (t Traffic) poll(ctx context.Context, r *runner) pollResult {
	var seen StepReport
	err := t.run(ctx, r, &seen)
	if err == nil {
		err = ctx.Err() // canceled traffic has no result
	}
	return pollResult{mismatches: seen.Mismatches, err: err}
}

func (t Traffic) expect() Expect {
	return Expect{URL: t.URL, Method: t.Method, Header: t.Header, Body: t.Body, Session: t.Session}
}

// rate returns the maximum number of requests per second. It is 0 for no limit.
func (t Traffic) rate() int {
	if t.Rate == 0 && t.While != nil {
		return whileRate
	}
	return t.Rate
}

// total returns the number of requests. It is 0 if the nested steps determine the number.
func (t Traffic) total() (int, error) {
	if t.Requests == 0 && t.While == nil && t.Expect.Share != nil {
		return t.Expect.Share.needed()
	}
	return t.Requests, nil
}

func (s Share) confidence() float64 { return cmp.Or(s.Confidence, defaultConfidence) }

func (s Share) power() float64 { return cmp.Or(s.Power, defaultConfidence) }

// tells reports whether there is a wrong share to distinguish. A wrong share of 0 percent is not
// needed, because each test detects a canary without responses.
func (s Share) tells() bool { return s.DistinguishFrom != 0 }

func (s Share) name() string {
	if s.Service != "" {
		return "service " + s.Service
	}
	return "app " + s.App
}

// flow sends equal requests from concurrent clients.
type flow struct {
	http    Prober
	request probe.Request
	clients int
	rate    int
}

// run sends up to total requests until stop is closed or ctx ends, and waits for the responses. It
// does not count requests that the end of ctx cancels.
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

// sell issues tickets at the rate. Each request needs a ticket.
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
