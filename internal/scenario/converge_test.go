package scenario

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
)

var (
	holds  = pollResult{}
	wrong  = pollResult{mismatches: []probe.Mismatch{{Field: "status", Expected: "200", Observed: "404"}}}
	worse  = pollResult{mismatches: []probe.Mismatch{{Field: "status", Expected: "200", Observed: "503"}}}
	unseen = pollResult{err: errors.New("nothing listens")}
)

// script returns a see that goes through the looks, and repeats the last one.
func script(looks ...pollResult) func(context.Context) pollResult {
	n := 0
	return func(context.Context) pollResult {
		l := looks[min(n, len(looks)-1)]
		n++
		return l
	}
}

// TestConverge looks at the time that 9 looks take as well: the pauses between those that do not
// hold grow by a tenth each.
func TestConverge(t *testing.T) {
	const slower = pollInterval * 11 / 10
	for name, tc := range map[string]struct {
		see      func(context.Context) pollResult
		within   time.Duration
		held     bool
		tries    int
		observed string // of the mismatch reported
		note     string
		took     time.Duration
	}{
		"holds at once": {script(holds), time.Minute, true, 3, "", "", 2 * pollInterval},
		"one that holds is not enough": {
			script(holds, wrong, holds, holds, wrong, holds, holds, holds), time.Minute, true, 8, "404", "", 6*pollInterval + slower,
		},
		"an error in between starts the count again": {script(holds, holds, unseen, holds, holds, holds), time.Minute, true, 6, "", "",
			5 * pollInterval},
		"never holds":                {script(wrong), time.Second, false, 9, "404", "", time.Second},
		"the newest mismatch counts": {script(wrong, worse), time.Second, false, 9, "503", "", time.Second},
		"an error hides no mismatch": {script(wrong, unseen), time.Second, false, 9, "404", "the last poll failed: nothing listens",
			time.Second},
		"no answer at all":             {script(unseen), time.Second, false, 9, "", "the last poll failed: nothing listens", time.Second},
		"what holds in time may go on": {script(wrong, wrong, holds), 3*pollInterval - 1, true, 5, "404", "", 5*pollInterval - 1},
		"and has to go on":             {script(wrong, wrong, holds, wrong, holds), 3*pollInterval - 1, false, 4, "404", "", 4*pollInterval - 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				c := converge(t.Context(), polling{within: tc.within, streak: steady}, tc.see)
				mismatches, note := c.explain()
				observed := ""
				if len(mismatches) > 0 {
					observed = mismatches[0].Observed
				}
				if c.held != tc.held || c.tries != tc.tries || observed != tc.observed || time.Since(begin) != tc.took {
					t.Errorf("held %v after %d tries and %s, observed %q; want %v, %d, %s, %q",
						c.held, c.tries, time.Since(begin), observed, tc.held, tc.tries, tc.took, tc.observed)
				}
				if !c.held && note != tc.note {
					t.Errorf("note %q, want %q", note, tc.note)
				}
			})
		})
	}
}

// A pollResult that the end of the time cuts off ends with an error that says nothing about what
// was looked at.
func TestConvergeIgnoresInterruptedPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c := converge(t.Context(), polling{within: time.Second, streak: steady}, func(ctx context.Context) pollResult {
			if n++; n == 1 {
				return wrong
			}
			<-ctx.Done()
			return pollResult{err: ctx.Err()}
		})
		mismatches, note := c.explain()
		if c.held || c.tries != 1 || len(mismatches) != 1 || note != "" {
			t.Errorf("%d tries, %v, note %q; want the one mismatch alone", c.tries, mismatches, note)
		}
	})
}

// A first pollResult that takes all the time has the same time again.
func TestConvergeWaitsForFirstPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, begin := 0, time.Now()
		c := converge(t.Context(), polling{within: time.Second, streak: steady}, func(ctx context.Context) pollResult {
			if n++; n > 1 {
				return wrong
			}
			<-ctx.Done()
			return pollResult{err: ctx.Err()}
		})
		mismatches, note := c.explain()
		if took := time.Since(begin); c.held || len(mismatches) != 1 || note != "" || took < 2*time.Second || took > 3*time.Second {
			t.Errorf("%d tries in %s, %v, note %q; want the mismatch alone, after two seconds", c.tries, took, mismatches, note)
		}
	})
}

func TestConvergeEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begin := time.Now()
		if c := converge(ctx, polling{within: time.Hour, streak: steady}, script(wrong)); c.held || time.Since(begin) != time.Second {
			t.Errorf("held %v after %s, want an end after 1s", c.held, time.Since(begin))
		}
	})
}
