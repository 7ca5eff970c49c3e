package proxy

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowUsers has one password, and counts the checks and how many run in parallel.
type slowUsers struct {
	gate          chan struct{} // nil for no wait
	asked         atomic.Int64
	now, together atomic.Int64
}

func (u *slowUsers) Match(_, password string) bool {
	u.asked.Add(1)
	now := u.now.Add(1)
	defer u.now.Add(-1)
	for {
		most := u.together.Load()
		if now <= most || u.together.CompareAndSwap(most, now) {
			break
		}
	}
	if u.gate != nil {
		<-u.gate
	}
	return password == "right"
}

func TestPasswordIsCheckedOnce(t *testing.T) {
	p, users := newPasswords(), &slowUsers{}
	for range 100 {
		if right, err := p.match(t.Context(), users, "alice", "right"); !right || err != nil {
			t.Fatalf("right password: %v, %v", right, err)
		}
		if right, err := p.match(t.Context(), users, "alice", "wrong"); right || err != nil {
			t.Fatalf("wrong password: %v, %v", right, err)
		}
	}
	if got := users.asked.Load(); got != 2 {
		t.Errorf("%d checks of two passwords, want 2", got)
	}
}

// A cached password is valid for one user of one list.
func TestCachedPasswordAppliesToOneUser(t *testing.T) {
	p, users, others := newPasswords(), &slowUsers{}, &slowUsers{}
	_, _ = p.match(t.Context(), users, "alice", "right")
	for _, ask := range []struct {
		users    *slowUsers
		name, pw string
	}{{users, "alicer", "ight"}, {users, "bob", "right"}, {others, "alice", "right"}} {
		before := ask.users.asked.Load()
		_, _ = p.match(t.Context(), ask.users, ask.name, ask.pw)
		if ask.users.asked.Load() == before {
			t.Errorf("%s:%s was answered from the cache", ask.name, ask.pw)
		}
	}
}

func TestCachedPasswordExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, users := newPasswords(), &slowUsers{}
		_, _ = p.match(t.Context(), users, "alice", "right")
		waitVirtual(passwordCacheTTL)
		_, _ = p.match(t.Context(), users, "alice", "right")
		if got := users.asked.Load(); got != 2 {
			t.Errorf("%d checks, want one more after %s", got, passwordCacheTTL)
		}
	})
}

// Guessing must leave CPU time to other requests, and must not wait forever.
func TestParallelPasswordChecksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, users := newPasswords(), &slowUsers{gate: make(chan struct{})}
		var busy atomic.Int64
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if _, err := p.match(t.Context(), users, "alice", string(rune('a'+i))); errors.Is(err, errPasswordsBusy) {
					busy.Add(1)
				}
			})
		}
		slots := int64(max(1, runtime.GOMAXPROCS(0)/2))
		waitVirtual(passwordTimeout)
		synctest.Wait()
		if got := busy.Load(); got != 50-slots {
			t.Errorf("%d of 50 timed out, want %d", got, 50-slots)
		}
		close(users.gate)
		all.Wait()
		if got := users.together.Load(); got != slots {
			t.Errorf("%d parallel checks, want %d", got, slots)
		}
	})
}

func TestGuessesDoNotEvictCorrectPasswords(t *testing.T) {
	p, users := newPasswords(), &slowUsers{}
	_, _ = p.match(t.Context(), users, "alice", "right")
	for i := range passwordCacheSize + 1 {
		_, _ = p.match(t.Context(), users, "alice", string(rune(1000+i)))
	}
	before := users.asked.Load()
	_, _ = p.match(t.Context(), users, "alice", "right")
	if users.asked.Load() != before {
		t.Error("the correct password was evicted")
	}
	if got := len(p.wrong.items); got != passwordCacheSize {
		t.Errorf("%d wrong passwords are cached, want %d", got, passwordCacheSize)
	}
}

// waitVirtual waits in the time of a synctest bubble.
func waitVirtual(d time.Duration) { <-time.After(d) }
