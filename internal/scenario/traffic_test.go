package scenario_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// page answers like a page of pod web, after that time.
func page(took time.Duration) probe.Observation {
	o := from("web-pod", "web")
	o.Duration = took
	return o
}

// TestTrafficFlowsWhileStepsRun looks at what the steps inside are reported as, and that requests
// are sent before, between and after them. A broken ingress gives one 503 among its first answers.
func TestTrafficFlowsWhileStepsRun(t *testing.T) {
	const steps = "- apply: [web.yaml, deployment.yaml]\n- traffic:\n    url: http://web.test/\n    expect: {failures: 0}\n    while:\n"
	for name, tc := range map[string]struct {
		while, inside, why string
		broken             bool
	}{
		"all is well": {while: "    - scale: {deployment: web, replicas: 2}\n    - expect: {url: http://web.test/, status: 200}\n",
			inside: "passed passed"},
		"a step inside fails": {
			while: "    - name: another\n      expect: {url: http://web.test/, status: 404, within: 100ms}\n    - scale: {deployment: web, " +
				"replicas: 2}\n",
			inside: "failed skipped",
			why:    "meanwhile, step another (GET http://web.r1.test/ answers 404): status: expected 404 Not Found, observed 200 OK",
		},
		"requests fail": {
			while: "    - scale: {deployment: web, replicas: 2}\n", broken: true, inside: "passed",
			why: "failed requests: expected at most 0, observed 1 of ",
		},
		"both fail": {
			while:  "    - expect: {url: http://web.test/, status: 404, within: 100ms}\n",
			broken: true, inside: "failed",
			why: "; meanwhile, step 1 (GET http://web.r1.test/ answers 404): status: expected 404 Not Found, observed 200 OK",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, steps+tc.while)
			c, _ := fakecluster.New(t)
			synctest.Test(t, func(t *testing.T) {
				ingress := &script{answer: func(n int, _ probe.Request) probe.Observation {
					if tc.broken && n == 5 {
						return probe.Observation{Status: http.StatusServiceUnavailable}
					}
					return page(time.Millisecond)
				}}
				begin := time.Now()
				report, err := scenario.Run(t.Context(), s, scenario.Env{Kube: c, HTTP: ingress, Run: "r1"})
				if err != nil {
					t.Fatal(err)
				}
				last := report.Steps[1]
				if got := outcomes(&scenario.Report{Steps: last.While}); got != tc.inside {
					t.Errorf("the nested steps %s, want %s", got, tc.inside)
				}
				if passed := last.Outcome == scenario.Passed; passed != (tc.why == "") || !strings.Contains(last.Why(), tc.why) {
					t.Errorf("%s: %s\nwant %s", last.Outcome, last.Why(), tc.why)
				}
				if took := time.Since(begin); took < time.Second {
					t.Errorf("the traffic flowed for %s, want a second more than the nested steps", took)
				}
				if last.Tries < 150 || last.Tries > 300 {
					t.Errorf("%d requests in a second at the rate of 200", last.Tries)
				}
				if last.While[0].Line == 0 || last.While[0].Number != 1 {
					t.Errorf("the first nested step is %d, in line %d", last.While[0].Number, last.While[0].Line)
				}
			})
		})
	}
}

func TestTrafficKeepsRate(t *testing.T) {
	s := load(t, "- traffic: {url: http://web.test/, requests: 100, rate: 50, expect: {failures: 0}}\n")
	c, _ := fakecluster.New(t)
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ingress := &script{answer: func(int, probe.Request) probe.Observation { return page(0) }}
		report, err := scenario.Run(t.Context(), s, scenario.Env{Kube: c, HTTP: ingress})
		if took := time.Since(begin); err != nil || report.Steps[0].Tries != 100 || took != 2*time.Second {
			t.Errorf("%d requests in %s, %v; want 100 in 2s", report.Steps[0].Tries, took, err)
		}
	})
}

func TestTrafficLatencyBudget(t *testing.T) {
	// 97 of 100 answers take a millisecond, 3 take a second.
	answer := func(n int, _ probe.Request) probe.Observation {
		if n%100 < 3 {
			return page(time.Second)
		}
		return page(time.Millisecond)
	}
	for budget, want := range map[string]string{
		"{p50: 1ms}":             "",
		"{p50: 1ms, p99: 1s}":    "",
		"{p50: 500us}":           "latency p50: expected at most 500µs, observed 1ms of 200 complete answers",
		"{p50: 1ms, p99: 999ms}": "latency p99: expected at most 999ms, observed 1s of 200 complete answers",
	} {
		_, got := perform(t, "- traffic: {url: http://web.test/, requests: 200, expect: {latency: "+budget+"}}\n", answer)
		if passed := got.Outcome == scenario.Passed; passed != (want == "") || !passed && got.Why() != want {
			t.Errorf("%s: %s: %s\nwant %s", budget, got.Outcome, got.Why(), want)
		}
	}
	_, got := perform(t, "- traffic: {url: http://web.test/, requests: 5, expect: {latency: {p99: 1s}}}\n",
		func(int, probe.Request) probe.Observation { return probe.Observation{Err: context.DeadlineExceeded} })
	if want := "latency p99: expected at most 1s, observed no complete answer"; got.Why() != want {
		t.Errorf("%s, want %s", got.Why(), want)
	}
}

// TestTrafficReportsFailures expects to hear of every kind of failure, also if another field is
// what differs first.
func TestTrafficReportsFailures(t *testing.T) {
	_, got := perform(t, "- traffic: {url: http://web.test/, requests: 10, concurrency: 1, expect: {statuses: [200]}}\n",
		func(n int, _ probe.Request) probe.Observation {
			switch n % 5 {
			case 0:
				return probe.Observation{Status: http.StatusServiceUnavailable, Reason: "service web has no ready endpoint"}
			case 1:
				return probe.Observation{Err: context.DeadlineExceeded}
			}
			return page(0)
		})
	for _, want := range []string{"2 times 503 (service web has no ready endpoint)", "2 times context deadline exceeded"} {
		if !strings.Contains(got.Note, want) {
			t.Errorf("the note lacks %q: %s", want, got.Note)
		}
	}
}

// TestShareDeterminesRequests leaves the number to the error rates: what is 5 % must not be taken
// for 10 %.
func TestShareDeterminesRequests(t *testing.T) {
	const step = "- apply: web.yaml\n- traffic: {url: http://web.test/, expect: {share: {service: web, percent: 5, distinguishFrom: 10}}}\n"
	of := func(percent int) func(int, probe.Request) probe.Observation {
		return func(n int, _ probe.Request) probe.Observation {
			if n%100 < percent {
				return from("web-pod", "web")
			}
			return from("main", "main")
		}
	}
	_, right := perform(t, step, of(5))
	_, wrong := perform(t, step, of(10))
	if right.Outcome != scenario.Passed || wrong.Outcome != scenario.Failed {
		t.Fatalf("5 %%: %s (%s), 10 %%: %s", right.Outcome, right.Why(), wrong.Outcome)
	}
	s := right.Share
	if s == nil || s.Requests != right.Tries || s.Requests < 500 || s.Requests > 2000 || s.FalseAlarm > 0.001 || s.Missed > 0.001 {
		t.Fatalf("share %+v", s)
	}
	var text strings.Builder
	scenario.NewPretty(&text, scenario.Style{}).StepDone(right)
	for _, want := range []string{"service web: ", "99.9 % confidence interval ", " are accepted for ", "a correct controller fails in ",
		"one with 10 % passes in "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("lacks %q:\n%s", want, text.String())
		}
	}
	if !slices.ContainsFunc(wrong.Mismatches, func(m probe.Mismatch) bool { return m.Field == "share of service web" }) {
		t.Errorf("mismatches %v", wrong.Mismatches)
	}
}
