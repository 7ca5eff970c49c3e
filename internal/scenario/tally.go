package scenario

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/text"
)

// tally counts answers. It is safe for concurrent use.
type tally struct {
	mu                 sync.Mutex
	requests, failures int
	// begun is closed with the first answer.
	begun chan struct{}
	start time.Time
	// failure says what came of the first request that failed, kinds how often each such thing came.
	failure string
	kinds   map[string]int
	// firstFailure and lastFailure are when requests failed, after start.
	firstFailure, lastFailure time.Duration
	statuses                  map[int]int
	// pods and apps are named namespace/name; the namespace is empty if the pod does not know it.
	pods, apps map[string]int
	// took has the durations of complete answers.
	took []time.Duration
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

// maxKinds is how many kinds of failures are listed.
const maxKinds = 4

// failed lists what the failures were, the most frequent first; empty if there was none.
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
	return fmt.Sprintf("failures came %.1fs to %.1fs after the first request: %s", t.firstFailure.Seconds(), t.lastFailure.Seconds(),
		strings.Join(parts, "; "))
}

// quantile is the shortest time within which that share of the complete answers came; 0 if there was none.
func (t *tally) quantile(share float64) time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.took))
	return sorted[max(int(math.Ceil(share*float64(len(sorted))))-1, 0)]
}

// judge compares the tally with what was expected, and writes both into the report.
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
		differs("requests", "some", "none was answered")
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

// short rounds a time to what a person reads.
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

// countOf returns how many answers a service or app has given. An answer of a stranger's pod is nobody's.
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
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, " and ")
}
