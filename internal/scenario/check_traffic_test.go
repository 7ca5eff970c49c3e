package scenario_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// TestCheckRepeatsTraffic asks an ingress that lets the old pod answer until a change is in force.
func TestCheckRepeatsTraffic(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		inForce time.Duration
		passes  bool
		atMost  time.Duration
	}{
		"at once":      {0, true, time.Second},
		"after a bit":  {1800 * time.Millisecond, true, 3 * time.Second},
		"never so far": {time.Hour, false, 11 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, "- traffic: {url: http://web.test/, requests: 20, expect: {failures: 0}}\n")
			c, _ := fakecluster.New(t)
			if err := c.EnsureNamespace(t.Context(), "lab-1", nil); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ingress := &script{answer: func(n int, _ probe.Request) probe.Observation {
					if n%2 == 0 && time.Since(begin) < tc.inForce {
						return probe.Observation{Status: http.StatusServiceUnavailable}
					}
					return page(0)
				}}
				reports := scenario.Check(t.Context(), scenario.Env{Kube: c, HTTP: ingress}, "lab-1", s.Steps)
				took, last := time.Since(begin), reports[len(reports)-1]
				if passed := last.Outcome == scenario.Passed; passed != tc.passes || took < min(tc.inForce, 9*time.Second) || took > tc.atMost {
					t.Errorf("%s after %s: %s", last.Outcome, took, last.Why())
				}
				if !tc.passes && !strings.HasSuffix(last.Note, "; same result in 5 attempts") {
					t.Errorf("note %q", last.Note)
				}
			})
		})
	}
}
