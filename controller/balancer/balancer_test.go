package balancer

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func at(last byte) Identity {
	return Identity{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), 80), Pod: fmt.Sprintf("shop/web-%d", last)}
}

func update(r *Registry, identities ...Identity) (*Pool, []*Endpoint) {
	pools, gone := r.Update(map[string][]Identity{"shop/web:80": identities})
	return pools["shop/web:80"], gone
}

func TestStateOutlivesTable(t *testing.T) {
	r := NewRegistry(nil)
	before, _ := update(r, at(1), at(2))
	kept, left := before.Endpoints()[0], before.Endpoints()[1]
	kept.Begin()
	kept.Failed()
	after, gone := update(r, at(1), at(3))
	if after.Endpoints()[0] != kept || kept.InFlight() != 1 || kept.Requests() != 1 || kept.Failures() != 1 {
		t.Errorf("the remaining endpoint has lost its state")
	}
	if len(gone) != 1 || gone[0] != left {
		t.Errorf("gone: %v, want the second endpoint", gone)
	}
	if got := len(before.Endpoints()); got != 2 {
		t.Errorf("the pool of the earlier table has %d endpoints now", got)
	}
	if _, gone := r.Update(nil); len(gone) != 2 || len(r.Endpoints()) != 0 {
		t.Errorf("after removing the pool: %d endpoints, %d gone", len(r.Endpoints()), len(gone))
	}
}

// The network can assign the address of a terminated pod to the next pod.
func TestReusedAddressHasNewState(t *testing.T) {
	r := NewRegistry(nil)
	before, _ := update(r, at(1))
	before.Endpoints()[0].Failed()
	stranger := at(1)
	stranger.Pod = "shop/other"
	after, gone := update(r, stranger)
	if e := after.Endpoints()[0]; e.Avoided() || e.Failures() != 0 {
		t.Error("a new pod inherits the old pod's failures")
	}
	if len(gone) != 1 {
		t.Errorf("%d gone, want the old pod", len(gone))
	}
}

func TestRoundRobinIsFair(t *testing.T) {
	r := NewRegistry(nil)
	pool, _ := update(r, at(1), at(2), at(3))
	count := map[*Endpoint]int{}
	for range 30 {
		count[pool.Pick(Choice{})]++
	}
	for _, e := range pool.Endpoints() {
		if count[e] != 10 {
			t.Errorf("%s picked %d times of 30", e.Address(), count[e])
		}
	}
}

// A pool that changes after each request must not send all of them to its first endpoint.
func TestRoundRobinIsFairAcrossSwaps(t *testing.T) {
	r := NewRegistry(nil)
	count := map[netip.AddrPort]int{}
	for range 30 {
		pool, _ := update(r, at(1), at(2), at(3))
		count[pool.Pick(Choice{}).Address()]++
	}
	for address, n := range count {
		if n != 10 {
			t.Errorf("%s picked %d times of 30", address, n)
		}
	}
}

func TestRoundRobinIsFairAmongHealthy(t *testing.T) {
	r := NewRegistry(nil)
	pool, _ := update(r, at(1), at(2), at(3), at(4))
	pool.Endpoints()[0].Failed()
	count := map[*Endpoint]int{}
	for range 30 {
		count[pool.Pick(Choice{})]++
	}
	for i, e := range pool.Endpoints() {
		if want := min(i, 1) * 10; count[e] != want {
			t.Errorf("%s picked %d times, want %d: the share of a failed endpoint goes to all others", e.Address(), count[e], want)
		}
	}
}

func TestPickPrefersHealthyThenAnyThenNone(t *testing.T) {
	r := NewRegistry(nil)
	pool, _ := update(r, at(1), at(2))
	first, second := pool.Endpoints()[0], pool.Endpoints()[1]
	first.Failed()
	if got := pool.Pick(Choice{Tried: []*Endpoint{second}}); got != first {
		t.Errorf("picked %v: an avoided endpoint is better than none", got)
	}
	second.Failed()
	if pool.Pick(Choice{}) == nil {
		t.Error("none picked although two might have recovered")
	}
	if got := pool.Pick(Choice{Tried: []*Endpoint{first, second}}); got != nil {
		t.Errorf("picked %s twice for one request", got.Address())
	}
	empty, _ := update(r)
	if empty.Pick(Choice{}) != nil {
		t.Error("picked from an empty pool")
	}
}

func TestAvoidanceExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, _ := update(NewRegistry(nil), at(1))
		e := pool.Endpoints()[0]
		for _, avoid := range []time.Duration{1, 2, 4, 8, 16, 16} {
			e.Failed()
			<-time.After(avoid*time.Second - time.Nanosecond)
			if !e.Avoided() {
				t.Fatalf("not avoided for %d s", avoid)
			}
			<-time.After(time.Nanosecond)
			if e.Avoided() {
				t.Fatalf("avoided for more than %d s", avoid)
			}
		}
		e.Failed()
		e.Succeeded()
		if e.Avoided() {
			t.Error("avoided after a success")
		}
		e.Failed()
		<-time.After(time.Second)
		if e.Avoided() {
			t.Error("a success does not reset the failures in a row")
		}
		e.TimedOut()
		if e.Avoided() || e.Failures() != 9 {
			t.Errorf("after a timeout: avoided %t, %d failures", e.Avoided(), e.Failures())
		}
	})
}

func TestConcurrentPicksAndUpdates(t *testing.T) {
	r := NewRegistry(nil)
	pool, _ := update(r, at(1), at(2))
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 500 {
				e := pool.Pick(Choice{})
				e.Begin()
				e.Failed()
				e.Succeeded()
				e.End()
			}
		})
	}
	for i := range 100 {
		update(r, at(1), at(byte(i%3+2)))
		r.Endpoints()
	}
	work.Wait()
	for _, e := range pool.Endpoints() {
		if e.InFlight() != 0 {
			t.Errorf("%s has %d in flight after all ended", e.Address(), e.InFlight())
		}
	}
}

func BenchmarkPick(b *testing.B) {
	pool, _ := update(NewRegistry(nil), at(1), at(2), at(3), at(4))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			pool.Pick(Choice{})
		}
	})
}

// BenchmarkUpdate updates the registry to the next table, with 10,000 pools of two endpoints each.
func BenchmarkUpdate(b *testing.B) {
	r := NewRegistry(nil)
	want := map[string][]Identity{}
	for i, identity := range pods(20_000) {
		key := fmt.Sprintf("shop/web-%d:80", i/2)
		want[key] = append(want[key], identity)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Update(want)
	}
}
