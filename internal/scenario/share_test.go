package scenario

import (
	"math"
	"testing"
)

// The wanted intervals were computed by summing exact fractions; 10 to 20 of 30 is in every table
// of the sign test.
func TestAcceptedIsBinomialInterval(t *testing.T) {
	for _, tc := range []struct {
		n                   int
		percent, confidence float64
		want                interval
	}{
		{30, 50, 95, interval{10, 20}},
		{4000, 5, 99.9, interval{156, 247}},
		{1, 50, 99.9, interval{0, 1}},
		{10, 0, 99.9, interval{0, 0}},
		{10, 100, 99.9, interval{10, 10}},
		{0, 5, 99.9, interval{0, 0}},
	} {
		if got := accepted(tc.n, tc.percent, tc.confidence); got != tc.want {
			t.Errorf("accepted(%d, %g %%, %g %%) = %v, want %v", tc.n, tc.percent, tc.confidence, got, tc.want)
		}
	}
}

// TestRequestsFollowFromErrorRates checks the promise, with the probabilities summed from the
// distribution's terms.
func TestRequestsFollowFromErrorRates(t *testing.T) {
	for _, s := range []Share{
		{Percent: 5, DistinguishFrom: 10}, {Percent: 5, DistinguishFrom: 1}, {Percent: 50, DistinguishFrom: 60, Confidence: 95, Power: 90},
		{Percent: 0, DistinguishFrom: 1}, {Percent: 100, DistinguishFrom: 99}, {Percent: 33.3, DistinguishFrom: 50, Confidence: 99, Power: 99.99},
	} {
		n, err := s.needed()
		if err != nil {
			t.Fatal(err)
		}
		fits := accepted(n, s.Percent, s.confidence())
		var right, wrong float64
		for k := fits.low; k <= fits.high; k++ {
			right += binomial(k, n, s.Percent/100)
			wrong += binomial(k, n, s.DistinguishFrom/100)
		}
		if 1-right > 1-s.confidence()/100+1e-9 || wrong > 1-s.power()/100+1e-9 {
			t.Errorf("%+v: of %d requests, %v are right: fails in %g, misses in %g of runs", s, n, fits, 1-right, wrong)
		}
		if got := fits.chance(n, s.DistinguishFrom); math.Abs(got-wrong) > 1e-9 {
			t.Errorf("%+v: chance %g, want %g", s, got, wrong)
		}
	}
	if _, err := (Share{Percent: 5, DistinguishFrom: 5.001}).needed(); err == nil {
		t.Error("5 % and 5.001 % can be told apart")
	}
}

func binomial(k, n int, p float64) float64 {
	if p == 0 || p == 1 {
		if (p == 0) == (k == 0) || k == n && p == 1 {
			return 1
		}
		return 0
	}
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x + 1)); return v }
	return math.Exp(lg(n) - lg(k) - lg(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

// The wanted limits are those of tables: 0 of 10 leaves 1 - 0.025^(1/10), and 5 of 10 is in every
// textbook.
func TestObservedIntervalIsClopperPearson(t *testing.T) {
	for _, tc := range []struct {
		count, n  int
		low, high float64
	}{{0, 10, 0, 30.85}, {5, 10, 18.71, 81.29}, {10, 10, 69.15, 100}, {0, 0, 0, 100}} {
		if low, high := observedInterval(tc.count, tc.n, 95); math.Abs(low-tc.low) > 0.005 || math.Abs(high-tc.high) > 0.005 {
			t.Errorf("%d of %d: %.2f to %.2f, want %.2f to %.2f", tc.count, tc.n, low, high, tc.low, tc.high)
		}
	}
}
