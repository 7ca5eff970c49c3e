package scenario

import "fmt"

func (c *checker) traffic(path string, t Traffic) {
	c.request(path, t.expect())
	c.requests(path, t)
	if t.Rate < 0 || t.Rate > 10000 {
		c.fault(path+".rate", "%d is not between 1 and 10000 requests a second", t.Rate)
	}
	if t.Concurrency < 0 || t.Concurrency > 256 {
		c.fault(path+".concurrency", "%d is not between 1 and 256", t.Concurrency)
	}
	e := t.Expect
	if e.Failures == nil && e.Statuses == nil && e.Pods == nil && e.Share == nil && e.Latency == nil {
		c.fault(path+".expect", "expects nothing of the answers: give failures, statuses, latency, pods or share")
	}
	if e.Latency != nil && *e.Latency == (Latency{}) {
		c.fault(path+".expect.latency", "is no budget: give p50 or p99")
	}
	if e.Share != nil {
		c.share(path+".expect.share", *e.Share)
	}
	if t.While != nil && len(t.While) == 0 {
		c.fault(path+".while", "has no steps: what happens meanwhile?")
	}
	c.steps(path+".while", t.While)
}

// requests checks that exactly one thing says how many requests are sent.
func (c *checker) requests(path string, t Traffic) {
	at := path + ".requests"
	_, isGiven := c.positions[at]
	isGiven = isGiven || t.Requests != 0
	derived := t.Expect.Share != nil && t.Expect.Share.tells()
	switch {
	case t.While != nil && isGiven:
		c.fault(at, "the traffic lasts as long as the steps of while, however many requests that is: leave it out")
	case t.While != nil:
	case isGiven && (t.Requests < 1 || t.Requests > maxRequests):
		c.fault(at, "%d is not a number of requests (1 to %d)", t.Requests, maxRequests)
	case isGiven || derived:
	case t.Expect.Share != nil:
		c.fault(at, "is missing: how many? Give it, or the share a distinguishFrom from which the number follows")
	default:
		c.fault(at, "is missing: how many? Give it, or the steps of while that the traffic lasts as long as")
	}
}

func (c *checker) share(path string, s Share) {
	if (s.Service == "") == (s.App == "") {
		c.fault(path, "is the share of one service or one app: give either")
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
		c.fault(path+".power", "of telling the share from what? Give distinguishFrom, a wrong share")
	case !s.tells():
	case s.DistinguishFrom == s.Percent:
		c.fault(path+".distinguishFrom", "%g is the right share: give a wrong one", s.DistinguishFrom)
	default:
		if _, err := s.needed(); err != nil {
			c.fault(path+".distinguishFrom", "%g and %g percent %v; take one that is further away", s.DistinguishFrom, s.Percent, err)
		}
	}
}

// eachStep visits steps and the steps inside of them, with the paths that they stand at.
func eachStep(path string, steps []Step, visit func(path string, step Step)) {
	for i, step := range steps {
		at := fmt.Sprintf("%s[%d]", path, i)
		visit(at, step)
		if step.Traffic != nil {
			eachStep(at+".traffic.while", step.Traffic.While, visit)
		}
		if step.Never != nil {
			eachStep(at+".never.while", step.Never.While, visit)
		}
	}
}
