package scenario_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

func TestPoolDoesAFewAtATimeAndSomeAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most, done atomic.Int32
		job := func(alone bool) scenario.Job {
			return scenario.Job{Alone: alone, Do: func(context.Context) bool {
				if now := running.Add(1); now > most.Load() {
					most.Store(now)
				} else if alone && now > 1 {
					t.Errorf("%d run beside one that has to be alone", now-1)
				}
				<-time.After(time.Second)
				running.Add(-1)
				done.Add(1)
				return true
			}}
		}
		begin := time.Now()
		scenario.Pool(t.Context(), 3, []scenario.Job{job(true), job(false), job(false), job(false), job(true), job(false)})
		if took := time.Since(begin); done.Load() != 6 || most.Load() != 3 || took != 4*time.Second {
			t.Errorf("%d done, at most %d at a time, in %s; want 6, 3, 4s", done.Load(), most.Load(), took)
		}
	})
}

func TestPoolStops(t *testing.T) {
	for name, stop := range map[string]func(cancel func()) bool{
		"when a job says so": func(func()) bool { return false },
		"with its context":   func(cancel func()) bool { cancel(); return true },
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var mu sync.Mutex
			var begun []int
			var jobs []scenario.Job
			for i := range 6 {
				jobs = append(jobs, scenario.Job{Alone: i > 4, Do: func(context.Context) bool {
					mu.Lock()
					begun = append(begun, i)
					mu.Unlock()
					<-time.After(time.Duration(i+1) * time.Second)
					return i != 0 || stop(cancel)
				}})
			}
			scenario.Pool(ctx, 2, jobs)
			if len(begun) != 2 {
				t.Errorf("%s: jobs %v were begun, want the first two", name, begun)
			}
		})
	}
}
