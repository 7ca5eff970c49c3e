package scenario

import "testing"

// The wanted intervals were computed by summing exact fractions; 10 to 20 of 30 is in every table of the sign test.
func TestAcceptedIsTheIntervalOfTheBinomialDistribution(t *testing.T) {
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
