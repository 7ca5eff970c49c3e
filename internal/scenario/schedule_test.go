package scenario_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// timetable does jobs of a second each, and notes which were under way together, in the order of
// their beginning.
type timetable struct {
	begin time.Time
	mu    sync.Mutex
	rows  []string
}

func (t *timetable) job(name string, exclusive bool, locks ...string) scenario.Job {
	return scenario.Job{Exclusive: exclusive, Locks: locks, Do: func(context.Context) bool {
		t.second(name)
		return true
	}}
}

// second takes a second, and notes what it is for.
func (t *timetable) second(name string) {
	t.mu.Lock()
	at := int(time.Since(t.begin) / time.Second)
	for len(t.rows) <= at {
		t.rows = append(t.rows, "")
	}
	t.rows[at] += name
	t.mu.Unlock()
	<-time.After(time.Second)
}

// bearing is a job that tolerates locks.
func (t *timetable) bearing(name string, locks ...string) scenario.Job {
	j := t.job(name, false)
	j.Tolerates = locks
	return j
}

// finishing is a job that takes a second more to finish, which is noted as an apostrophe.
func (t *timetable) finishing(name string) scenario.Job {
	j := t.job(name, false)
	j.Finish = func(context.Context) { t.second("'") }
	return j
}

// sorted returns the names in each second in alphabetical order, because goroutines start in any
// order.
func (t *timetable) sorted() string {
	for i, row := range t.rows {
		t.rows[i] = strings.Join(slices.Sorted(strings.SplitSeq(row, "")), "")
	}
	return strings.Join(t.rows, " ")
}

func TestScheduleSeparatesConflictingJobs(t *testing.T) {
	for name, c := range map[string]struct {
		parallel int
		jobs     func(*timetable) []scenario.Job
		want     string
	}{
		"so many at a time": {2, func(t *timetable) []scenario.Job {
			return []scenario.Job{t.job("a", false), t.job("b", false), t.job("c", false)}
		}, "ab c"},
		"exclusive ones alone, at the end": {3, func(t *timetable) []scenario.Job {
			return []scenario.Job{t.job("X", true), t.job("a", false), t.job("b", false), t.job("Y", true)}
		}, "ab X Y"},
		"a common lock one after the other, and others meanwhile": {2, func(t *timetable) []scenario.Job {
			return []scenario.Job{t.job("a", false, "ports"), t.job("b", false, "ports"), t.job("c", false, "names"), t.job("d", false)}
		}, "ac bd"},
		"exclusive ones with different locks side by side": {3, func(t *timetable) []scenario.Job {
			return []scenario.Job{t.job("X", true, "settings"), t.job("Y", true, "routes"), t.job("Z", true, "settings"), t.job("a", false,
				"routes")}
		}, "a XY Z"},
		"one that tolerates an exclusive one's locks beside it": {3, func(t *timetable) []scenario.Job {
			return []scenario.Job{t.job("X", true, "settings"), t.job("a", false), t.bearing("b", "settings"), t.bearing("c", "routes")}
		}, "abc X"},
		"exclusive ones first, beside who tolerates them": {4, func(t *timetable) []scenario.Job {
			x, y := t.job("X", true, "settings"), t.job("Y", true, "settings")
			x.First, y.First = true, true
			return []scenario.Job{t.job("a", false), t.bearing("b", "settings"), t.bearing("c", "routes"), x, y}
		}, "Xb Y ac"},
		"a lock in common is not borne": {2, func(t *timetable) []scenario.Job {
			b := t.bearing("b", "settings")
			b.Locks = []string{"settings"}
			return []scenario.Job{b, t.job("X", true, "settings")}
		}, "b X"},
		"only an exclusive job waits for Finish": {1, func(t *timetable) []scenario.Job {
			return []scenario.Job{t.finishing("a"), t.finishing("b"), t.job("X", true)}
		}, "a 'b 'X"},
		"an exclusive one without locks beside none": {3, func(t *timetable) []scenario.Job {
			return []scenario.Job{t.job("X", true, "settings"), t.job("Y", true), t.job("Z", true, "routes")}
		}, "XZ Y"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := &timetable{begin: time.Now()}
				scenario.Schedule(t.Context(), c.parallel, c.jobs(table))
				if end := time.Since(table.begin); end != time.Duration(len(table.rows))*time.Second {
					t.Errorf("the pool is left after %s, before all is done", end)
				}
				if got := table.sorted(); got != c.want {
					t.Errorf("done together were %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestScheduleStops(t *testing.T) {
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
				jobs = append(jobs, scenario.Job{Exclusive: i > 4, Do: func(context.Context) bool {
					mu.Lock()
					begun = append(begun, i)
					mu.Unlock()
					<-time.After(time.Duration(i+1) * time.Second)
					return i != 0 || stop(cancel)
				}})
			}
			scenario.Schedule(ctx, 2, jobs)
			if len(begun) != 2 {
				t.Errorf("%s: jobs %v were begun, want the first two", name, begun)
			}
		})
	}
}
