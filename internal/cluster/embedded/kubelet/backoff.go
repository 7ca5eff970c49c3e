package kubelet

import "time"

// Delays between tries, as the documentation of kubelets has them
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy,
// https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff).
const (
	firstDelay  = 10 * time.Second
	longest     = 5 * time.Minute
	provenAfter = 10 * time.Minute // of running without an end, after which the next end is a first one again
)

// backoff counts ends, or failures, that follow each other. The zero value has seen none.
type backoff struct{ next time.Duration }

// failed returns how long to wait after one more failure: 10 s, doubling up to 5 min.
func (b *backoff) failed() time.Duration {
	d := max(b.next, firstDelay)
	b.next = min(2*d, longest)
	return d
}

// ended returns how long to wait after the end of a container that had run for that long: nothing the first time, and then
// as after failures.
func (b *backoff) ended(ran time.Duration) time.Duration {
	if b.next == 0 || ran >= provenAfter {
		b.next = firstDelay
		return 0
	}
	return b.failed()
}

// retry is a short back-off without a place in the API: from first, doubling up to last.
type retry struct{ first, last, now time.Duration }

func (r *retry) delay() time.Duration {
	r.now = min(max(2*r.now, r.first), r.last)
	return r.now
}
