package proxy

import (
	"context"
	"time"
)

// pace limits the speed of one response (annotations limit-rate and limit-rate-after), as nginx's
// limit_rate does. The limit is per response: a client with two requests gets twice the speed.
type pace struct {
	// rate is in bytes per second, after the first free bytes.
	rate, free int64
	begin      time.Time
	sent       int64
}

// newPace returns the speed limit of the route, or nil if there is none.
func (x *exchange) newPace() *pace {
	if x.decision.Policy == nil || x.decision.Policy.Limits.Rate <= 0 {
		return nil
	}
	return &pace{rate: x.decision.Policy.Limits.Rate, free: x.decision.Policy.Limits.RateAfter}
}

// paceSteps is the number of pieces per second: enough for a smooth stream at a low cost.
const paceSteps = 4

// next returns how many of n bytes can be written now. It waits until that is at least one, or
// until ctx ends.
func (p *pace) next(ctx context.Context, n int) (int, error) {
	if p.begin.IsZero() {
		p.begin = time.Now()
	}
	if left := p.free - p.sent; left > 0 {
		return p.take(min(int64(n), left)), nil
	}
	piece := min(int64(n), max(p.rate/paceSteps, 1))
	// The piece is written when its first byte is due.
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
