package proxy

import (
	"context"
	"time"
)

// pace bounds the speed of one response (annotations limit-rate and limit-rate-after), as nginx's limit_rate does: per
// response, so a client with two requests has twice the speed.
type pace struct {
	// rate is in bytes a second, after the first free bytes.
	rate, free int64
	begin      time.Time
	sent       int64
}

// newPace is what the route bounds an endpoint's response by; nil: nothing.
func (x *exchange) newPace() *pace {
	if x.decision.Policy == nil || x.decision.Policy.Limits.Rate <= 0 {
		return nil
	}
	return &pace{rate: x.decision.Policy.Limits.Rate, free: x.decision.Policy.Limits.RateAfter}
}

// paceSteps are pieces a second: small enough for a stream that looks even, large enough to cost little.
const paceSteps = 4

// next says how many of n bytes may go now. It waits until that is at least one, or until ctx ends, which is the error.
func (p *pace) next(ctx context.Context, n int) (int, error) {
	if p.begin.IsZero() {
		p.begin = time.Now()
	}
	if left := p.free - p.sent; left > 0 {
		return p.take(min(int64(n), left)), nil
	}
	piece := min(int64(n), max(p.rate/paceSteps, 1))
	// The byte after those that are paid for has its time; the piece goes when its first byte's has come.
	due := p.begin.Add(time.Duration(float64(p.sent-p.free) / float64(p.rate) * float64(time.Second)))
	if wait := time.Until(due); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	return p.take(piece), nil
}

func (p *pace) take(n int64) int {
	p.sent += n
	return int(n)
}
