package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/text"
)

// tally counts responses. It is safe for concurrent use.
type tally struct {
	mu                 sync.Mutex
	requests, failures int
	begun              chan struct{} // begun is closed at the first response
	start              time.Time
	failure            string // failure describes the first failure. kinds counts the failures of each kind.
	kinds              map[string]int
	// firstFailure and lastFailure are the times of failures after start.
	firstFailure, lastFailure time.Duration
	statuses                  map[int]int
	// pods and apps count responses by namespace/name. The namespace is empty if the pod does not
	// report it.
	pods, apps map[string]int
	took       []time.Duration // took has the durations of complete responses
}

func newTally() *tally {
	return &tally{
		begun: make(chan struct{}), start: time.Now(), kinds: map[string]int{}, statuses: map[int]int{},
		pods: map[string]int{}, apps: map[string]int{},
	}
}

func (t *tally) add(o probe.Observation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.requests++; t.requests == 1 {
		close(t.begun)
	}
	if o.Err != nil || o.Status >= http.StatusInternalServerError {
		t.fail(o)
	}
	if o.Err != nil {
		return
	}
	t.took = append(t.took, o.Duration)
	t.statuses[o.Status]++
	if o.Served != nil {
		t.pods[o.Served.Namespace+"/"+o.Served.Pod]++
		t.apps[o.Served.Namespace+"/"+o.Served.App]++
	}
}

func (t *tally) fail(o probe.Observation) {
	t.lastFailure = time.Since(t.start)
	if t.failures++; t.failures == 1 {
		t.failure, t.firstFailure = o.What(), t.lastFailure
	}
	kind := o.What()
	if o.Err == nil && o.Reason != "" {
		kind += " (" + o.Reason + ")"
	}
	t.kinds[kind]++
}

// maxKinds is how many kinds of failures a report lists.
const maxKinds = 4

// failed lists the kinds of failures, the most frequent first. It is empty if there were no
// failures.
func (t *tally) failed() string {
	if t.failures == 0 {
		return ""
	}
	kinds := slices.SortedFunc(maps.Keys(t.kinds), func(a, b string) int {
		return cmp.Or(t.kinds[b]-t.kinds[a], strings.Compare(a, b))
	})
	var parts []string
	for _, kind := range kinds[:min(len(kinds), maxKinds)] {
		parts = append(parts, fmt.Sprintf("%d times %s", t.kinds[kind], kind))
	}
	if more := len(kinds) - maxKinds; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d other kinds", more))
	}
	return fmt.Sprintf("failures occurred %.1fs to %.1fs after the first request: %s", t.firstFailure.Seconds(), t.lastFailure.Seconds(),
		strings.Join(parts, "; "))
}

// quantile returns the time within which the given share of the complete responses arrived. It is 0
// if there are no responses.
func (t *tally) quantile(share float64) time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.took))
	return sorted[max(int(math.Ceil(share*float64(len(sorted))))-1, 0)]
}

// judge compares the tally with the expectation, and writes the result into the report.
func (r *runner) judge(ctx context.Context, e TrafficExpect, t *tally, report *StepReport) error {
	report.Tries, report.Note = t.requests, t.failed()
	report.Summary = fmt.Sprintf("%s, %d failed, %s answered", text.Count(t.requests, "request"), t.failures, text.Count(len(t.pods), "pod"))
	if len(t.took) > 0 {
		report.Summary += fmt.Sprintf("; half within %s, 99 %% within %s", short(t.quantile(0.5)), short(t.quantile(0.99)))
	}
	differs := func(field, expected, observed string) {
		report.Mismatches = append(report.Mismatches, probe.Mismatch{Field: field, Expected: expected, Observed: observed})
	}
	if e.Failures != nil && t.failures > *e.Failures {
		differs("failed requests", fmt.Sprintf("at most %d", *e.Failures), fmt.Sprintf("%d of %d, the first: %s", t.failures, t.requests,
			t.failure))
	}
	if want, got := slices.Sorted(slices.Values(e.Statuses)), slices.Sorted(maps.Keys(t.statuses)); want != nil && !slices.Equal(want, got) {
		differs("statuses", listNumbers(want), listNumbers(got))
	}
	if e.Pods != nil && len(t.pods) != *e.Pods {
		differs("pods that answered", fmt.Sprint(*e.Pods), fmt.Sprintf("%d (%s)", len(t.pods), strings.Join(slices.Sorted(maps.Keys(t.pods)),
			", ")))
	}
	if e.Latency != nil {
		e.Latency.judge(t, differs)
	}
	report.Outcome = Passed
	var err error
	if e.Share != nil {
		err = r.judgeShare(ctx, *e.Share, t, report)
	}
	if err == nil && t.requests == 0 && ctx.Err() == nil {
		differs("requests", "some", "no response")
	}
	switch {
	case err != nil:
		report.Outcome = Broken
	case len(report.Mismatches) > 0:
		report.Outcome = Failed
	}
	return err
}

func (l Latency) judge(t *tally, differs func(field, expected, observed string)) {
	for _, budget := range []struct {
		name  string
		share float64
		limit Duration
	}{{"p50", 0.5, l.P50}, {"p99", 0.99, l.P99}} {
		limit, took := time.Duration(budget.limit), t.quantile(budget.share)
		switch {
		case limit == 0:
		case len(t.took) == 0:
			differs("latency "+budget.name, "at most "+limit.String(), "no complete answer")
		case took > limit:
			differs("latency "+budget.name, "at most "+limit.String(), fmt.Sprintf("%s of %d complete answers", short(took), len(t.took)))
		}
	}
}

// short rounds a duration for display.
func short(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

func (r *runner) judgeShare(ctx context.Context, s Share, t *tally, report *StepReport) error {
	count, err := r.countOf(ctx, s, t)
	if err != nil {
		return err
	}
	report.Share = judgeShare(s, count, t.requests)
	if !report.Share.Accepted() {
		report.Mismatches = append(report.Mismatches, probe.Mismatch{
			Field: "share of " + s.name(), Expected: fmt.Sprintf("%g %%, that is %d to %d", s.Percent, report.Share.Least, report.Share.Most),
			Observed: report.Share.observed(),
		})
	}
	return nil
}

// countOf returns the number of responses of a service or app. Pods of other namespaces do not
// count.
func (r *runner) countOf(ctx context.Context, s Share, t *tally) (count int, err error) {
	if s.App != "" {
		return t.apps[r.names.namespace+"/"+s.App] + t.apps["/"+s.App], nil
	}
	for name, answers := range t.pods {
		namespace, pod, _ := strings.Cut(name, "/")
		if namespace != "" && namespace != r.names.namespace {
			continue
		}
		services, err := r.servicesOf(ctx, pod)
		if err != nil {
			return 0, err
		}
		if slices.Contains(services, s.Service) {
			count += answers
		}
	}
	return count, nil
}

func listNumbers(numbers []int) string {
	var all []string
	for _, n := range numbers {
		all = append(all, fmt.Sprint(n))
	}
	return cmp.Or(strings.Join(all, " and "), "none")
}

// maxRequests limits the requests of one traffic step.
const maxRequests = 100_000

// interval is the range of accepted counts.
type interval struct{ low, high int }

// accepted returns the interval in which a correct controller's count is with the given confidence,
// in percent. Both ends are exact quantiles of the binomial distribution, because approximations
// are poor for the small shares of canaries.
func accepted(n int, percent, confidence float64) interval {
	share := distuv.Binomial{N: float64(n), P: percent / 100}
	tail := (1 - confidence/100) / 2
	least := func(reaches func(below float64) bool) int {
		return sort.Search(n, func(k int) bool { return reaches(share.CDF(float64(k))) })
	}
	// Because of rounding errors, a probability of 1 can be a little less.
	const rounding = 1e-12
	return interval{
		low:  least(func(below float64) bool { return below > tail }),
		high: least(func(below float64) bool { return below >= 1-tail-rounding }),
	}
}

// chance returns the probability that a count of n draws with a share, in percent, is in the
// interval.
func (i interval) chance(n int, percent float64) float64 {
	share := distuv.Binomial{N: float64(n), P: percent / 100}
	chance := share.CDF(float64(i.high))
	if i.low > 0 {
		chance -= share.CDF(float64(i.low - 1))
	}
	return min(max(chance, 0), 1)
}

func (i interval) String() string { return fmt.Sprintf("%d to %d", i.low, i.high) }

// errTooClose reports that no number of requests distinguishes two shares.
var errTooClose = errors.New("are too close: to tell them apart takes more than 100000 requests")

// needed returns the number of requests that distinguish the wrong share from the right one: a
// controller with the wrong share passes in less than 1 - power of the runs.
func (s Share) needed() (int, error) {
	tells := func(n int) bool {
		return accepted(n, s.Percent, s.confidence()).chance(n, s.DistinguishFrom) <= 1-s.power()/100
	}
	n := sort.Search(maxRequests+1, tells)
	// Counts are whole numbers, so more requests can have a higher error rate. The result must keep
	// the limit anyway.
	if n > maxRequests {
		return 0, errTooClose
	}
	return max(n, 1), nil
}

// observedInterval returns the confidence interval, in percent, of the share for count of n draws
// (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934).
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

// ShareReport is the result for a share, with its statistics. Shares are in percent, error rates
// are probabilities.
type ShareReport struct {
	// Of is the service or app: "service shop-canary".
	Of string `json:"of"`
	// Requests is how many requests were sent. Count is how many of them Of has served.
	Requests int `json:"requests"`
	Count    int `json:"count"`
	// Expected and Observed are shares. ObservedLow and ObservedHigh are the confidence interval of
	// Observed.
	Expected     float64 `json:"expected"`
	Observed     float64 `json:"observed"`
	ObservedLow  float64 `json:"observedLow"`
	ObservedHigh float64 `json:"observedHigh"`
	// Confidence is the confidence of both intervals.
	Confidence float64 `json:"confidence"`
	// Least and Most are the limits of accepted counts.
	Least int `json:"least"`
	Most  int `json:"most"`
	// FalseAlarm is the probability that a controller with the expected share fails.
	FalseAlarm float64 `json:"falseAlarm"`
	// DistinguishFrom is the wrong share to distinguish; it can be nil. Missed is the probability
	// that a controller with this share passes.
	DistinguishFrom *float64 `json:"tellFrom,omitempty"`
	Missed          float64  `json:"missed,omitempty"`
}

// judgeShare returns the report of a count.
func judgeShare(s Share, count, n int) *ShareReport {
	fits := accepted(n, s.Percent, s.confidence())
	report := &ShareReport{
		Of: s.name(), Requests: n, Count: count, Expected: s.Percent, Observed: 100 * float64(count) / float64(max(n, 1)),
		Confidence: s.confidence(), Least: fits.low, Most: fits.high, FalseAlarm: 1 - fits.chance(n, s.Percent),
	}
	report.ObservedLow, report.ObservedHigh = observedInterval(count, n, s.confidence())
	if s.tells() {
		report.DistinguishFrom, report.Missed = &s.DistinguishFrom, fits.chance(n, s.DistinguishFrom)
	}
	return report
}

// Accepted reports whether the count is within the accepted interval.
func (s ShareReport) Accepted() bool { return s.Least <= s.Count && s.Count <= s.Most }

// String returns the report in one line.
func (s ShareReport) String() string {
	text := fmt.Sprintf("%s: %s, %g %% confidence interval %.2f to %.2f %%; "+
		"%d to %d are accepted for %g %%; a correct controller fails in %s of runs",
		s.Of, s.observed(), s.Confidence, s.ObservedLow, s.ObservedHigh, s.Least, s.Most, s.Expected, rate(s.FalseAlarm))
	if s.DistinguishFrom != nil {
		text += fmt.Sprintf(", one with %g %% passes in %s", *s.DistinguishFrom, rate(s.Missed))
	}
	return text
}

// line returns the report in one line. It returns "" if s is nil.
func (s *ShareReport) line() string {
	if s == nil {
		return ""
	}
	return s.String()
}

func (s ShareReport) observed() string {
	return fmt.Sprintf("%d of %d (%.2f %%)", s.Count, s.Requests, s.Observed)
}

// rate formats a small probability in percent.
func rate(p float64) string {
	switch {
	case p <= 0:
		return "0 %"
	case p < 0.00001:
		return "less than 0.001 %"
	}
	return fmt.Sprintf("%.2g %%", 100*p)
}
