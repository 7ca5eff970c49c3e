package scenario

import (
	"fmt"
	"math"
)

// interval is how many of n answers may be a service's, if each is so with the probability of its share.
type interval struct{ low, high int }

// accepted returns the interval that a right controller's count falls into with the given confidence, in percent. Both
// ends are exact quantiles of the binomial distribution: an approximation would be off for small shares, and those are
// what canaries have.
func accepted(n int, percent, confidence float64) interval {
	share := percent / 100
	tail := (1 - confidence/100) / 2
	below, i := 0.0, interval{low: n, high: n}
	for k := range n + 1 {
		below += probability(k, n, share)
		if below > tail && k < i.low {
			i.low = k
		}
		// The sum of so many terms may stay a little under 1.
		if below >= 1-tail-1e-12 {
			i.high = k
			break
		}
	}
	return i
}

// probability is that of exactly k of n draws, by logarithms as the factorials are beyond any float.
func probability(k, n int, share float64) float64 {
	switch share {
	case 0:
		return boolean(k == 0)
	case 1:
		return boolean(k == n)
	}
	log := lgamma(n+1) - lgamma(k+1) - lgamma(n-k+1) + float64(k)*math.Log(share) + float64(n-k)*math.Log1p(-share)
	return math.Exp(log)
}

func lgamma(x int) float64 {
	log, _ := math.Lgamma(float64(x)) // the sign is 1 for all positive numbers
	return log
}

func boolean(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (i interval) contains(k int) bool { return i.low <= k && k <= i.high }

func (i interval) String() string { return fmt.Sprintf("%d to %d", i.low, i.high) }
