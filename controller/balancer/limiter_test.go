package balancer_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/balancer"
)

var epoch = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func client(address string) balancer.Client {
	return balancer.Client{Route: "shop/web", Address: netip.MustParseAddr(address)}
}

// admitted counts how many of n simultaneous requests are admitted.
func admitted(l *balancer.Limiter, c balancer.Client, limits balancer.Limits, now time.Time, n int) int {
	passed := 0
	for range n {
		if verdict, _ := l.Admit(c, limits, now); verdict == balancer.Admitted {
			passed++
		}
	}
	return passed
}

func TestLimiterRates(t *testing.T) {
	tests := map[string]struct {
		limits balancer.Limits
		// steps are times since the epoch, and how many of 1,000 requests are admitted then.
		steps []struct {
			at   time.Duration
			want int
		}
	}{
		"a burst at once, then the rate": {
			limits: balancer.Limits{PerSecond: 5, Burst: 5},
			steps: []struct {
				at   time.Duration
				want int
			}{{0, 26}, {100 * time.Millisecond, 0}, {time.Second, 5}, {time.Hour, 26}},
		},
		"without a burst, one at a time": {
			limits: balancer.Limits{PerSecond: 2, Burst: 0},
			steps: []struct {
				at   time.Duration
				want int
			}{{0, 1}, {499 * time.Millisecond, 0}, {500 * time.Millisecond, 1}},
		},
		"by the minute": {
			limits: balancer.Limits{PerMinute: 6, Burst: 2},
			steps: []struct {
				at   time.Duration
				want int
			}{{0, 13}, {9 * time.Second, 0}, {10 * time.Second, 1}, {70 * time.Second, 6}},
		},
		"both hold, the smaller burst first": {
			limits: balancer.Limits{PerSecond: 10, PerMinute: 60, Burst: 1},
			steps: []struct {
				at   time.Duration
				want int
			}{{0, 11}, {10 * time.Second, 11}, {20 * time.Second, 11}, {30 * time.Second, 11}, {40 * time.Second, 11}, {50 * time.Second,
				11}, {60 * time.Second, 11}, {70 * time.Second, 11}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := balancer.NewLimiter(10)
			for _, step := range test.steps {
				if got := admitted(l, client("192.0.2.1"), test.limits, epoch.Add(step.at), 1000); got != step.want {
					t.Errorf("after %s: %d of 1000 requests passed, want %d", step.at, got, step.want)
				}
			}
		})
	}
}

// Both rates apply at once: a request that one rejects doesn't count for the other.
func TestLimiterAppliesBothRates(t *testing.T) {
	l, total := balancer.NewLimiter(10), 0
	limits := balancer.Limits{PerSecond: 10, PerMinute: 60, Burst: 1}
	for second := range 600 {
		total += admitted(l, client("192.0.2.1"), limits, epoch.Add(time.Duration(second)*time.Second), 100)
	}
	if total < 655 || total > 665 { // ten minutes of 60, and one burst of 60
		t.Errorf("%d requests passed in ten minutes, want about 660", total)
	}
}

func TestLimiterReturnsWait(t *testing.T) {
	l := balancer.NewLimiter(10)
	limits := balancer.Limits{PerMinute: 1}
	if verdict, _ := l.Admit(client("192.0.2.1"), limits, epoch); verdict != balancer.Admitted {
		t.Fatal("the first request did not pass")
	}
	verdict, wait := l.Admit(client("192.0.2.1"), limits, epoch.Add(20*time.Second))
	if verdict != balancer.TooFast || wait != 40*time.Second {
		t.Errorf("verdict %v, wait %s; want TooFast, 40s", verdict, wait)
	}
}

func TestLimiterDistinguishesClients(t *testing.T) {
	limits := balancer.Limits{PerSecond: 1}
	tests := map[string]struct {
		second balancer.Client
		want   balancer.Verdict
	}{
		"the same address":                {client("192.0.2.1"), balancer.TooFast},
		"the same address, mapped":        {client("::ffff:192.0.2.1"), balancer.TooFast},
		"another address":                 {client("192.0.2.2"), balancer.Admitted},
		"the same address, another route": {balancer.Client{Route: "shop/api", Address: netip.MustParseAddr("192.0.2.1")}, balancer.Admitted},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := balancer.NewLimiter(10)
			l.Admit(client("192.0.2.1"), limits, epoch)
			if got, _ := l.Admit(test.second, limits, epoch); got != test.want {
				t.Errorf("verdict %v, want %v", got, test.want)
			}
		})
	}
	l := balancer.NewLimiter(10)
	l.Admit(client("2001:db8:0:1::1"), limits, epoch)
	if got, _ := l.Admit(client("2001:db8:0:1:ffff::9"), limits, epoch); got != balancer.TooFast {
		t.Errorf("two addresses of one /64 count apart: %v", got)
	}
	if got, _ := l.Admit(client("2001:db8:0:2::1"), limits, epoch); got != balancer.Admitted {
		t.Errorf("two /64 count as one: %v", got)
	}
}

func TestLimiterConnections(t *testing.T) {
	l, limits := balancer.NewLimiter(10), balancer.Limits{Connections: 2}
	if got := admitted(l, client("192.0.2.1"), limits, epoch, 5); got != 2 {
		t.Fatalf("%d requests at once, want 2", got)
	}
	if verdict, _ := l.Admit(client("192.0.2.1"), limits, epoch); verdict != balancer.TooMany {
		t.Fatalf("verdict %v, want TooMany", verdict)
	}
	l.Leave(client("192.0.2.1"))
	if got := admitted(l, client("192.0.2.1"), limits, epoch, 5); got != 1 {
		t.Fatalf("%d requests after one left, want 1", got)
	}
}

// Many addresses must not exhaust memory, and must not evict clients with requests in flight.
func TestLimiterIsBounded(t *testing.T) {
	l, limits := balancer.NewLimiter(100), balancer.Limits{Connections: 1}
	l.Admit(client("192.0.2.1"), limits, epoch)
	for i := range 10_000 {
		c := client(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String())
		l.Admit(c, limits, epoch)
		l.Leave(c)
	}
	if got := l.Len(); got > 101 {
		t.Errorf("%d clients are stored, want at most 101", got)
	}
	if verdict, _ := l.Admit(client("192.0.2.1"), limits, epoch); verdict != balancer.TooMany {
		t.Errorf("a client with a request in flight was evicted: %v", verdict)
	}
}

func TestLimiterEvictsLongestIdleClient(t *testing.T) {
	l, limits := balancer.NewLimiter(2), balancer.Limits{PerMinute: 1}
	for _, address := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"} {
		l.Admit(client(address), limits, epoch)
	}
	if verdict, _ := l.Admit(client("192.0.2.1"), limits, epoch); verdict != balancer.TooFast {
		t.Errorf("the recent client was evicted: %v", verdict)
	}
}

func TestLimiterIsSafeForConcurrentUse(t *testing.T) {
	l, limits := balancer.NewLimiter(4), balancer.Limits{PerSecond: 1000, Burst: 5, Connections: 3}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			c := client(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String())
			for range 200 {
				if verdict, _ := l.Admit(c, limits, epoch); verdict == balancer.Admitted {
					l.Leave(c)
				}
			}
		})
	}
	wg.Wait()
	if got := l.Len(); got > 4 {
		t.Errorf("%d clients are stored when nothing is in flight, want at most 4", got)
	}
}

func BenchmarkLimiterAdmit(b *testing.B) {
	l, limits := balancer.NewLimiter(balancer.LimiterCapacity), balancer.Limits{PerSecond: 1 << 30, Burst: 5, Connections: 3}
	c := client("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		l.Admit(c, limits, epoch)
		l.Leave(c)
	}
}
