package balancer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// ways are all ways to select an endpoint, with a different key for each request if the way uses
// one.
var ways = map[string]func(request int) Choice{
	"round robin": func(int) Choice { return Choice{By: RoundRobin} },
	"least conn":  func(int) Choice { return Choice{By: LeastConn} },
	"ewma":        func(int) Choice { return Choice{By: EWMA} },
	"hash":        func(request int) Choice { return Choice{HashKey: fmt.Sprintf("/item/%d", request)} },
}

// seeded returns a registry whose random numbers are the same in each run.
func seeded() *Registry { return NewRegistry(rand.New(rand.NewPCG(1, 2)).IntN) }

func pods(n int) []Identity {
	identities := make([]Identity, n)
	for i := range identities {
		identities[i] = Identity{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80),
			Pod: fmt.Sprintf("shop/web-%d", i)}
	}
	return identities
}

// fair fails the test if a count deviates from its expectation by more than five standard
// deviations, which happens by chance once in a million times.
func fair(t *testing.T, count map[*Endpoint]int, among []*Endpoint, picks int) {
	t.Helper()
	share := 1 / float64(len(among))
	expected := float64(picks) * share
	tolerance := 5 * math.Sqrt(expected*(1-share))
	for _, e := range among {
		if got := float64(count[e]); math.Abs(got-expected) > tolerance {
			t.Errorf("%s picked %v times, want %v ± %v", e.Pod(), got, expected, tolerance)
		}
	}
}

func TestAllWaysAreFairAmongHealthy(t *testing.T) {
	const picks = 10_000
	for name, choice := range ways {
		t.Run(name, func(t *testing.T) {
			pool, _ := update(seeded(), pods(5)...)
			all := pool.Endpoints()
			all[1].Failed()
			all[3].Failed()
			count := map[*Endpoint]int{}
			for i := range picks {
				count[pool.Pick(choice(i))]++
			}
			if count[all[1]]+count[all[3]] > 0 {
				t.Errorf("recently failed endpoints were picked %d times", count[all[1]]+count[all[3]])
			}
			fair(t, count, []*Endpoint{all[0], all[2], all[4]}, picks)
		})
	}
}

// A failed request goes from one endpoint to the next, never back, and ends when none is left.
func TestPickNeverRepeatsEndpoint(t *testing.T) {
	for name, choice := range ways {
		t.Run(name, func(t *testing.T) {
			pool, _ := update(seeded(), pods(4)...)
			pool.Endpoints()[0].Failed()
			for request := range 100 {
				var tried []*Endpoint
				for range 4 {
					c := choice(request)
					c.Tried = tried
					e := pool.Pick(c)
					if e == nil || slices.Contains(tried, e) {
						t.Fatalf("try %d: picked %v", len(tried)+1, e)
					}
					tried = append(tried, e)
				}
				if tried[3] != pool.Endpoints()[0] {
					t.Fatalf("a failed endpoint was picked before a healthy one")
				}
				c := choice(request)
				c.Tried = tried
				if e := pool.Pick(c); e != nil {
					t.Fatalf("picked %s again", e.Pod())
				}
			}
		})
	}
}

func TestPickFromEmptyPoolIsNil(t *testing.T) {
	for name, choice := range ways {
		pool, _ := update(seeded())
		if e := pool.Pick(choice(0)); e != nil {
			t.Errorf("%s picked %s", name, e.Pod())
		}
	}
}

func TestPreferred(t *testing.T) {
	pool, _ := update(seeded(), pods(3)...)
	own, other := pool.Endpoints()[1], pool.Endpoints()[2]
	if pool.Find(pods(3)[1]) != own || pool.Find(at(99)) != nil {
		t.Error("Find does not find by identity")
	}
	if got := pool.Pick(Choice{Prefer: own}); got != own {
		t.Errorf("picked %s", got.Pod())
	}
	if got := pool.Pick(Choice{Prefer: own, Tried: []*Endpoint{own}}); got == own {
		t.Error("picked although this request failed there")
	}
	own.Failed()
	if got := pool.Pick(Choice{Prefer: own}); got == own {
		t.Error("picked an avoided endpoint although others are healthy")
	}
	if got := pool.Pick(Choice{Prefer: own, Insist: true}); got != own {
		t.Error("not picked in spite of Insist")
	}
	pool.Endpoints()[0].Failed()
	other.Failed()
	for range 10 {
		if got := pool.Pick(Choice{Prefer: own}); got != own {
			t.Errorf("picked %s, which failed too", got.Pod())
		}
	}
}

// Two Ingresses can route to one Service with different algorithms.
func TestAlgorithmsShareOnePool(t *testing.T) {
	r := seeded()
	pool, _ := update(r, pods(3)...)
	busy := pool.Endpoints()[0]
	busy.Begin()
	count := map[*Endpoint]int{}
	for range 30 {
		if e := pool.Pick(Choice{By: LeastConn}); e == busy {
			t.Error("least_conn picked the busy one")
		}
		count[pool.Pick(Choice{By: RoundRobin})]++
		pool, _ = update(r, pods(3)...)
	}
	for e, n := range count {
		if n != 10 {
			t.Errorf("round robin picked %s %d times of 30", e.Pod(), n)
		}
	}
}

func TestLeastConnBalancesLoad(t *testing.T) {
	pool, _ := update(seeded(), pods(4)...)
	for i, e := range pool.Endpoints() {
		for range 3 * i {
			e.Begin()
		}
	}
	for range 3 + 6 + 9 {
		pool.Pick(Choice{By: LeastConn}).Begin()
	}
	for _, e := range pool.Endpoints() {
		if e.InFlight() != 9 {
			t.Errorf("%s has %d in flight, want 9", e.Pod(), e.InFlight())
		}
	}
}

// answering makes the endpoints answer n sequential requests with their latencies, and counts the
// requests of each.
func answering(pool *Pool, n int, latency map[*Endpoint]time.Duration) map[*Endpoint]int {
	count := map[*Endpoint]int{}
	for range n {
		e := pool.Pick(Choice{By: EWMA})
		count[e]++
		e.Begin()
		<-time.After(latency[e])
		e.Observe(latency[e])
		e.End()
	}
	return count
}

func TestEWMAPrefersFastEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, _ := update(seeded(), pods(3)...)
		all := pool.Endpoints()
		count := answering(pool, 300, map[*Endpoint]time.Duration{all[0]: 10 * time.Millisecond, all[1]: 10 * time.Millisecond,
			all[2]: time.Second})
		if count[all[2]] == 0 || count[all[2]] > 10 {
			t.Errorf("the slow endpoint got %d of 300 requests", count[all[2]])
		}
		for _, e := range all[:2] {
			if count[e] < 100 {
				t.Errorf("%s got %d of 300 requests", e.Pod(), count[e])
			}
		}
	})
}

func TestEWMARetriesSlowEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, _ := update(seeded(), pods(2)...)
		fast, slow := pool.Endpoints()[0], pool.Endpoints()[1]
		slow.Observe(2 * time.Second)
		if fast.Latency() != 0 || slow.Latency() != 2*time.Second {
			t.Errorf("latencies %s and %s", fast.Latency(), slow.Latency())
		}
		<-time.After(latencyDecay)
		if want := 2 * time.Second / 2718 * 1000; (slow.Latency() - want).Abs() > time.Millisecond {
			t.Errorf("after %s: %s, want %s", latencyDecay, slow.Latency(), want)
		}
		for range 100_000 {
			fast.Observe(10 * time.Millisecond)
			if pool.Pick(Choice{By: EWMA}) == slow {
				return
			}
			<-time.After(time.Millisecond)
		}
		t.Error("a slow endpoint never gets another request")
	})
}

// The latency of a new pod is unknown. Until its first response, it must get its share and no more.
func TestEWMADoesNotFloodNewEndpoint(t *testing.T) {
	r := seeded()
	pool, _ := update(r, pods(3)...)
	for _, e := range pool.Endpoints() {
		e.Observe(20 * time.Millisecond)
	}
	pool, _ = update(r, pods(4)...)
	for range 400 {
		pool.Pick(Choice{By: EWMA}).Begin()
	}
	for _, e := range pool.Endpoints() {
		if n := e.InFlight(); n < 90 || n > 110 {
			t.Errorf("%s has %d of 400 in flight", e.Pod(), n)
		}
	}
}

// An endpoint that was slow a minute ago might still be slow. Its latency has faded, but its
// requests in flight count.
func TestEWMADoesNotFloodIdleEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, _ := update(seeded(), pods(2)...)
		fast, slow := pool.Endpoints()[0], pool.Endpoints()[1]
		slow.Observe(5 * time.Second)
		<-time.After(20 * latencyDecay)
		fast.Observe(10 * time.Millisecond)
		for range 100 {
			pool.Pick(Choice{By: EWMA}).Begin()
		}
		if n := slow.InFlight(); n == 0 || n > 95 {
			t.Errorf("the idle endpoint has %d of 100 in flight", n)
		}
	})
}

func TestLatencyFollowsPeaksAndDecays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Endpoint
		for _, step := range []struct{ after, took, want time.Duration }{
			{0, 100 * time.Millisecond, 100 * time.Millisecond},
			{time.Millisecond, 200 * time.Millisecond, 200 * time.Millisecond},
			{time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond},    // a thousandth of the way
			{10 * time.Second, 100 * time.Millisecond, 136788 * time.Microsecond}, // 100 and 1/e of the difference
		} {
			<-time.After(step.after)
			e.Observe(step.took)
			if got := e.Latency(); (got - step.want).Abs() > 20*time.Microsecond {
				t.Errorf("after %s and %s: %s, want %s", step.after, step.took, got, step.want)
			}
		}
	})
}

// placement returns the endpoint of each key.
func placement(pool *Pool, keys int) map[string]string {
	m := make(map[string]string, keys)
	for i := range keys {
		key := fmt.Sprintf("/item/%d", i)
		m[key] = pool.Pick(Choice{HashKey: key}).Pod()
	}
	return m
}

func TestHashMovesOnlyKeysOfRemovedPod(t *testing.T) {
	const keys = 10_000
	r := seeded()
	pool, _ := update(r, pods(10)...)
	before := placement(pool, keys)
	if again := placement(pool, keys); again["/item/7"] != before["/item/7"] {
		t.Error("the same key selected another endpoint")
	}
	gone := pods(10)[4].Pod
	pool, _ = update(r, slices.Delete(pods(10), 4, 5)...)
	orphans := map[*Endpoint]int{}
	total := 0
	for key, pod := range placement(pool, keys) {
		if before[key] != gone && pod != before[key] {
			t.Fatalf("%s moved from %s to %s", key, before[key], pod)
		}
		if before[key] == gone {
			total++
			orphans[pool.Endpoints()[slices.IndexFunc(pool.Endpoints(), func(e *Endpoint) bool { return e.Pod() == pod })]]++
		}
	}
	fair(t, orphans, pool.Endpoints(), total)
	pool, _ = update(r, pods(10)...)
	for key, pod := range placement(pool, keys) {
		if pod != before[key] {
			t.Fatalf("%s did not come back to %s", key, before[key])
		}
	}
}

// While an endpoint is avoided, each of its keys uses the endpoint that it would use without the
// avoided one.
func TestHashUsesSecondScore(t *testing.T) {
	const keys = 1000
	r := seeded()
	pool, _ := update(r, pods(5)...)
	pool.Endpoints()[2].Failed()
	avoiding := placement(pool, keys)
	without, _ := update(r, slices.Delete(pods(5), 2, 3)...)
	for key, pod := range placement(without, keys) {
		if avoiding[key] != pod {
			t.Errorf("%s went to %s, want %s", key, avoiding[key], pod)
		}
	}
}

// All replicas of the controller, and the next process after a restart, must agree about each key.
func TestHashIsEqualInAllReplicas(t *testing.T) {
	pool, _ := update(seeded(), pods(10)...)
	backwards := pods(10)
	slices.Reverse(backwards)
	other, _ := update(NewRegistry(nil), backwards...)
	for key, pod := range placement(pool, 1000) {
		if got := other.Pick(Choice{HashKey: key}).Pod(); got != pod {
			t.Fatalf("%s goes to %s and to %s", key, pod, got)
		}
	}
	for key, want := range map[string]string{"/item/0": "shop/web-6", "/item/1": "shop/web-2", "/item/2": "shop/web-4"} {
		if got := pool.Pick(Choice{HashKey: key}).Pod(); got != want {
			t.Errorf("%s goes to %s, went to %s in earlier versions", key, got, want)
		}
	}
}

// A StatefulSet's pod that restarts with another address keeps its keys.
func TestHashUsesPodName(t *testing.T) {
	r := seeded()
	pool, _ := update(r, pods(5)...)
	before := placement(pool, 100)
	moved := pods(5)
	moved[3].Address = netip.MustParseAddrPort("10.9.9.9:80")
	pool, _ = update(r, moved...)
	for key, pod := range placement(pool, 100) {
		if before[key] != pod {
			t.Errorf("%s moved from %s to %s", key, before[key], pod)
		}
	}
}

func BenchmarkPickBy(b *testing.B) {
	for _, n := range []int{10, 20_000} {
		for name, choice := range ways {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				pool, _ := update(NewRegistry(nil), pods(n)...)
				for _, e := range pool.Endpoints() {
					e.Observe(time.Millisecond)
				}
				b.ReportAllocs()
				c := choice(0)
				for b.Loop() {
					pool.Pick(c)
				}
			})
		}
	}
}
