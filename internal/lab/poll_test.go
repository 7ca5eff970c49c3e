package lab_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// counting counts requests.
type counting struct {
	scenario.Prober
	requests atomic.Int64
}

func (c *counting) Do(ctx context.Context, r probe.Request) probe.Observation {
	c.requests.Add(1)
	return c.Prober.Do(ctx, r)
}

// The solution must invalidate the cached traffic result.
func TestPollDetectsSolution(t *testing.T) {
	t.Parallel()
	_, env := environment(t)
	ingress := &counting{Prober: env.HTTP}
	env.HTTP = ingress
	l := hostRouting(t)
	url := l.Tasks[2].Check[0].Expect.URL
	l.Tasks[2].Check = []scenario.Step{{Traffic: &scenario.Traffic{URL: url, Requests: 50,
		Expect: scenario.TrafficExpect{Share: &scenario.Share{App: "cheddar", Percent: 100}}}}}
	s := lab.NewSession(l, env)
	if _, err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{false, true} {
		if want {
			if err := s.Solve(t.Context(), l.Tasks[2].ID); err != nil {
				t.Fatal(err)
			}
		}
		state, err := s.Poll(t.Context())
		if err != nil || len(state.Missing) > 0 || state.Tasks[2].Done != want {
			t.Errorf("task %s done: %t, want %t; missing %v, %v", l.Tasks[2].ID, state.Tasks[2].Done, want, state.Missing, err)
		}
	}
	if ingress.requests.Load() < 100 {
		t.Errorf("%d requests in two polls with a change in between", ingress.requests.Load())
	}
}
