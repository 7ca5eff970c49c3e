package balancer

import (
	"math"
	"sync"
	"time"
)

// latencyDecay is the time in which what was measured loses about two thirds of its weight: 10 s, as in ingress-nginx.
const latencyDecay = 10 * time.Second

// latency is a moving average of an endpoint's response times that jumps to every peak: bad news counts at once, good news by
// and by. It is weighted by time, not by the number of answers, so it does not depend on how busy the endpoint is.
type latency struct {
	mu      sync.Mutex
	average time.Duration
	last    time.Time // zero: nothing was measured
}

// observe takes in a response time.
func (l *latency) observe(took time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() || took >= l.average {
		l.average, l.last = took, now
		return
	}
	weight := fade(now.Sub(l.last))
	l.average = took + time.Duration(weight*float64(l.average-took))
	l.last = now
}

// at is what is expected of the endpoint now, and whether anything is known of it. While it is not asked the average fades to
// 0, so that one that was slow for a while gets another chance.
func (l *latency) at(now time.Time) (expected time.Duration, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() {
		return 0, false
	}
	return time.Duration(fade(now.Sub(l.last)) * float64(l.average)), true
}

// fade is the weight that is left after a time, from 1 to 0.
func fade(elapsed time.Duration) float64 {
	return math.Exp(-float64(max(elapsed, 0)) / float64(latencyDecay))
}
