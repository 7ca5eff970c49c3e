package prove

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Jobs run so many at a time, each item is told when the last of its tasks has ended, and the tasks of one item run side by side.
func TestPoolRunsSoManyAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		var told []string
		p := &pool{slots: make(chan struct{}, 3), tell: func(i *Item) { told = append(told, i.Name) }}
		work := func(context.Context) {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-time.After(time.Second)
			running.Add(-1)
		}
		jobs := []*job{
			{item: &Item{Name: "long"}, tasks: []func(context.Context){work, work, work, work}},
			{item: &Item{Name: "short"}, tasks: []func(context.Context){work}},
		}
		begin := time.Now()
		p.run(t.Context(), jobs...)
		if most.Load() != 3 || time.Since(begin) != 2*time.Second {
			t.Errorf("%d ran at once, for %s", most.Load(), time.Since(begin))
		}
		if len(told) != 2 || jobs[0].item.Outcome != scenario.Passed {
			t.Errorf("told of %v", told)
		}
	})
}

// An exclusive scenario is alone in the cluster, among its own mutants as well: each of them may change what all share.
func TestExclusiveTasksRunInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int32
		p := &pool{slots: make(chan struct{}, 3)}
		work := func(context.Context) {
			if n := running.Add(1); n > 1 {
				t.Errorf("%d run at once", n)
			}
			<-time.After(time.Second)
			running.Add(-1)
		}
		j := &job{item: &Item{Name: "alone"}, tasks: []func(context.Context){work, work, work}}
		j.inTurn()
		begin := time.Now()
		p.run(t.Context(), j)
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("three tasks of a second took %s", took)
		}
	})
}

// What failed beside others gets a second try, and the report has both; what passed is not tried again.
func TestWhatFailsIsTriedAgainAlone(t *testing.T) {
	t.Parallel()
	failed := &Item{Name: "spoiled", Outcome: scenario.Failed}
	passed := &Item{Name: "fine", Outcome: scenario.Passed}
	p := &pool{slots: make(chan struct{}, 1)}
	tries := 0
	fresh := func(name string) *job {
		return &job{item: &Item{Name: name}, tasks: []func(context.Context){func(context.Context) { tries++ }}}
	}
	items := []*Item{failed, passed}
	p.again(t.Context(), &items[0], fresh("spoiled"))
	p.again(t.Context(), &items[1], fresh("fine"))
	if tries != 1 || items[1] != passed {
		t.Errorf("%d tries", tries)
	}
	if items[0].Outcome != scenario.Passed || items[0].First != failed {
		t.Errorf("the second try is not in the place of the first: %+v", items[0])
	}
}
