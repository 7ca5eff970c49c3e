package scenario

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// traffic sends many requests and judges their answers together. It is done once: what is left to chance must not be
// tried until it comes out right.
func (r *runner) traffic(ctx context.Context, t Traffic, report *StepReport) error {
	request, err := r.request(t.expect())
	if err != nil {
		report.Outcome = Broken
		return err
	}
	seen := newTally()
	single := 0
	if t.Session != "" {
		seen.add(r.env.HTTP.Do(ctx, request))
		single = 1
	}
	var clients sync.WaitGroup
	left := make(chan struct{}, t.Requests)
	for range t.Requests - single {
		left <- struct{}{}
	}
	close(left)
	for range t.concurrency() {
		clients.Go(func() {
			for range left {
				if ctx.Err() == nil {
					seen.add(r.env.HTTP.Do(ctx, request))
				}
			}
		})
	}
	clients.Wait()
	return r.judge(ctx, t.Expect, seen, report)
}

// expect is the part of a Traffic that an Expect has, too.
func (t Traffic) expect() Expect {
	return Expect{URL: t.URL, Method: t.Method, Header: t.Header, Send: t.Send, Session: t.Session}
}

func (t Traffic) concurrency() int {
	if t.Concurrency == 0 {
		return defaultConcurrency
	}
	return t.Concurrency
}

// tally counts answers. It is safe for concurrent use.
type tally struct {
	mu                 sync.Mutex
	requests, failures int
	// failure says what came of the first request that failed.
	failure  string
	statuses map[int]int
	// pods and apps are named namespace/name; the namespace is empty if the pod does not know it.
	pods, apps map[string]int
}

func newTally() *tally {
	return &tally{statuses: map[int]int{}, pods: map[string]int{}, apps: map[string]int{}}
}

func (t *tally) add(o probe.Observation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	if o.Err != nil || o.Status >= http.StatusInternalServerError {
		t.failures++
		if t.failure == "" {
			t.failure = o.What()
		}
	}
	if o.Err != nil {
		return
	}
	t.statuses[o.Status]++
	if o.Served != nil {
		t.pods[o.Served.Namespace+"/"+o.Served.Pod]++
		t.apps[o.Served.Namespace+"/"+o.Served.App]++
	}
}

// judge compares the tally with what was expected, and writes both into the report.
func (r *runner) judge(ctx context.Context, e TrafficExpect, t *tally, report *StepReport) error {
	report.Tries = t.requests
	report.Summary = fmt.Sprintf("%d requests, %d failed, %d pods answered", t.requests, t.failures, len(t.pods))
	differs := func(field, expected, observed string) {
		report.Mismatches = append(report.Mismatches, probe.Mismatch{Field: field, Expected: expected, Observed: observed})
	}
	if e.Failures != nil && t.failures > *e.Failures {
		differs("failed requests", fmt.Sprintf("at most %d", *e.Failures), fmt.Sprintf("%d of %d, the first: %s", t.failures, t.requests, t.failure))
	}
	if want, got := slices.Sorted(slices.Values(e.Statuses)), slices.Sorted(maps.Keys(t.statuses)); want != nil && !slices.Equal(want, got) {
		differs("statuses", listNumbers(want), listNumbers(got))
	}
	if e.Pods != nil && len(t.pods) != *e.Pods {
		differs("pods that answered", fmt.Sprint(*e.Pods), fmt.Sprintf("%d (%s)", len(t.pods), strings.Join(slices.Sorted(maps.Keys(t.pods)), ", ")))
	}
	if e.Share != nil {
		count, err := r.countOf(ctx, *e.Share, t)
		if err != nil {
			report.Outcome = Broken
			return err
		}
		fits := accepted(t.requests, e.Share.Percent, e.Share.confidence())
		observed := fmt.Sprintf("%d of %d (%.2f %%)", count, t.requests, 100*float64(count)/float64(max(t.requests, 1)))
		report.Summary += fmt.Sprintf("; %s: %s, right are %v at %g %% confidence", e.Share.name(), observed, fits, e.Share.confidence())
		if !fits.contains(count) {
			differs("share of "+e.Share.name(), fmt.Sprintf("%g %%, that is %v", e.Share.Percent, fits), observed)
		}
	}
	report.Outcome = Passed
	if len(report.Mismatches) > 0 {
		report.Outcome = Failed
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
