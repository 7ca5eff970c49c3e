package scenario

import (
	"errors"
	"fmt"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// maxRequests is how many requests one traffic step sends at most.
const maxRequests = 100_000

// interval is how many of n answers may be a service's, if each is so with the probability of its share.
type interval struct{ low, high int }

// accepted returns the interval that a right controller's count falls into with the given confidence, in percent. Both
// ends are exact quantiles of the binomial distribution: an approximation would be off for small shares, and those are
// what canaries have.
func accepted(n int, percent, confidence float64) interval {
	share := distuv.Binomial{N: float64(n), P: percent / 100}
	tail := (1 - confidence/100) / 2
	least := func(reaches func(below float64) bool) int {
		return sort.Search(n, func(k int) bool { return reaches(share.CDF(float64(k))) })
	}
	// What is meant to be 1 may be a little less in floating point.
	const rounding = 1e-12
	return interval{
		low:  least(func(below float64) bool { return below > tail }),
		high: least(func(below float64) bool { return below >= 1-tail-rounding }),
	}
}

// chance is that a count of n draws with the given share, in percent, falls into the interval.
func (i interval) chance(n int, percent float64) float64 {
	share := distuv.Binomial{N: float64(n), P: percent / 100}
	chance := share.CDF(float64(i.high))
	if i.low > 0 {
		chance -= share.CDF(float64(i.low - 1))
	}
	return min(max(chance, 0), 1)
}

func (i interval) String() string { return fmt.Sprintf("%d to %d", i.low, i.high) }

// errTooClose says that no number of requests tells the two shares apart.
var errTooClose = errors.New("are too close: to tell them apart takes more than 100000 requests")

// needed returns how many requests it takes to tell the wrong share from the right one: of so many, a controller with the
// wrong share passes in less than 1 - power of the runs.
func (s Share) needed() (int, error) {
	tells := func(n int) bool {
		return accepted(n, s.Percent, s.confidence()).chance(n, s.DistinguishFrom) <= 1-s.power()/100
	}
	n := sort.Search(maxRequests+1, tells)
	// Counts are whole, so that the error rate goes up and down a little on its way to zero; what was found does tell.
	if n > maxRequests {
		return 0, errTooClose
	}
	return max(n, 1), nil
}

// observedInterval returns the confidence interval of a share of which count of n draws were seen, in percent: every share
// in it may well have given this count (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934).
func observedInterval(count, n int, confidence float64) (low, high float64) {
	if n == 0 {
		return 0, 100
	}
	tail := (1 - confidence/100) / 2
	high = 100
	if count > 0 {
		low = 100 * distuv.Beta{Alpha: float64(count), Beta: float64(n - count + 1)}.Quantile(tail)
	}
	if count < n {
		high = 100 * distuv.Beta{Alpha: float64(count + 1), Beta: float64(n - count)}.Quantile(1-tail)
	}
	return low, high
}

// ShareReport is what a share came to, with all that is needed to judge the judgement. Shares are in percent, error rates are
// probabilities.
type ShareReport struct {
	// Of is whose share it is: "service shop-canary".
	Of string `json:"of"`
	// Requests is how many were sent, Count how many of them were answered by Of.
	Requests int `json:"requests"`
	Count    int `json:"count"`
	// Expected and Observed are shares, ObservedLow and ObservedHigh the observed one's confidence interval.
	Expected     float64 `json:"expected"`
	Observed     float64 `json:"observed"`
	ObservedLow  float64 `json:"observedLow"`
	ObservedHigh float64 `json:"observedHigh"`
	// Confidence is that of both intervals.
	Confidence float64 `json:"confidence"`
	// Least and Most are the counts that are accepted.
	Least int `json:"least"`
	Most  int `json:"most"`
	// FalseAlarm is how probably a controller with the expected share fails.
	FalseAlarm float64 `json:"falseAlarm"`
	// TellFrom is the wrong share that was to be told from the expected one, Missed how probably a controller that has it
	// passes. Without one, TellFrom is absent.
	TellFrom *float64 `json:"tellFrom,omitempty"`
	Missed   float64  `json:"missed,omitempty"`
}

// judgeShare makes the report of a count.
func judgeShare(s Share, count, n int) *ShareReport {
	fits := accepted(n, s.Percent, s.confidence())
	report := &ShareReport{
		Of: s.name(), Requests: n, Count: count, Expected: s.Percent, Observed: 100 * float64(count) / float64(max(n, 1)),
		Confidence: s.confidence(), Least: fits.low, Most: fits.high, FalseAlarm: 1 - fits.chance(n, s.Percent),
	}
	report.ObservedLow, report.ObservedHigh = observedInterval(count, n, s.confidence())
	if s.tells() {
		report.TellFrom, report.Missed = &s.DistinguishFrom, fits.chance(n, s.DistinguishFrom)
	}
	return report
}

// Accepted reports whether the count is within the accepted interval.
func (s ShareReport) Accepted() bool { return s.Least <= s.Count && s.Count <= s.Most }

// String says everything in a line.
func (s ShareReport) String() string {
	text := fmt.Sprintf("%s: %s, %g %% confidence interval %.2f to %.2f %%; "+
		"right are %d to %d for %g %%, a right controller fails in %s of runs",
		s.Of, s.observed(), s.Confidence, s.ObservedLow, s.ObservedHigh, s.Least, s.Most, s.Expected, rate(s.FalseAlarm))
	if s.TellFrom != nil {
		text += fmt.Sprintf(", one with %g %% passes in %s", *s.TellFrom, rate(s.Missed))
	}
	return text
}

// line is String, or nothing.
func (s *ShareReport) line() string {
	if s == nil {
		return ""
	}
	return s.String()
}

func (s ShareReport) observed() string {
	return fmt.Sprintf("%d of %d (%.2f %%)", s.Count, s.Requests, s.Observed)
}

// rate writes a small probability in percent.
func rate(p float64) string {
	switch {
	case p <= 0:
		return "0 %"
	case p < 0.00001:
		return "less than 0.001 %"
	}
	return fmt.Sprintf("%.2g %%", 100*p)
}
