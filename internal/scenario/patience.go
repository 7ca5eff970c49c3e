package scenario

import "time"

// within is how long a step may look: what the file says, or otherwise, and at most as long as the run has patience for it.
func (r *runner) within(given Duration, otherwise time.Duration) time.Duration {
	if span := given.or(otherwise); r.limit == 0 || span < r.limit {
		return span
	}
	return r.limit
}

// limitOf is how long a step may look at most; 0 if that is for its file to say. Whatever waits for pods gets the time that
// it asks for, unless it is where the run is expected to fail: pods take as long as the machine is busy.
func (e Env) limitOf(step Step) time.Duration {
	switch {
	case e.Patience == 0:
		return 0
	case e.failsIn != "" && step.Name != e.failsIn:
		return 0
	case step.Expect != nil:
		return e.Patience
	case e.failsIn != "":
		return 4 * e.Patience
	case step.Wait != nil && step.Wait.Ingress != "":
		return e.Patience
	}
	return 0
}
