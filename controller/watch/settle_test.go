package watch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// settles returns how long Settle takes for signals with the given pauses.
func settles(t *testing.T, pauses ...time.Duration) time.Duration {
	t.Helper()
	signals := make(chan time.Time, 1)
	go func() {
		for _, pause := range pauses {
			<-time.After(pause)
			signals <- time.Now()
		}
	}()
	start := time.Now()
	Settle(t.Context(), signals, 5*time.Millisecond, 50*time.Millisecond)
	took := time.Since(start)
	for range pauses { // let the sender finish
		select {
		case <-signals:
		case <-time.After(time.Second):
		}
	}
	return took
}

func TestSettle(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	storm := make([]time.Duration, 40)
	for i := range storm {
		storm[i] = ms(3)
	}
	for _, test := range []struct {
		name   string
		pauses []time.Duration
		want   time.Duration
	}{
		{"a lone change waits for the quiet time only", nil, ms(5)},
		{"changes close together wait together", []time.Duration{ms(3), ms(4)}, ms(3 + 4 + 5)},
		{"a later change is for the next time", []time.Duration{ms(3), ms(20)}, ms(3 + 5)},
		{"a storm is cut at the limit", storm, ms(50)},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := settles(t, test.pauses...); got != test.want {
					t.Errorf("settled after %s, want %s", got, test.want)
				}
			})
		})
	}
}

func TestSettleEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		start := time.Now()
		Settle(ctx, make(chan int), time.Hour, time.Hour)
		if took := time.Since(start); took != time.Millisecond {
			t.Errorf("ended after %s", took)
		}
	})
}
