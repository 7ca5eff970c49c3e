//go:build linux

package network_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// count returns the number of entries in a directory.
func count(t testing.TB, directory string) int {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestNetworkReleasesResourcesOf300Pods(t *testing.T) {
	n := hub(t)
	descriptors, threads := count(t, "/proc/self/fd"), count(t, "/proc/self/task")
	pods := make([]network.Namespace, 300)
	listeners := make([]net.Listener, len(pods))
	var group sync.WaitGroup
	for i := range pods {
		group.Go(func() {
			var err error
			if pods[i], err = n.AddPod(t.Context(), netip.AddrFrom4([4]byte{10, 244, byte(10 + i/200), byte(i % 200)})); err != nil {
				t.Error(err)
				return
			}
			if listeners[i], err = pods[i].Listen(t.Context(), "tcp", ":80"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
	// Each pod connects to two others.
	for i, p := range pods {
		for _, other := range []int{(i + 1) % len(pods), (i + 150) % len(pods)} {
			c, err := p.Dial(t.Context(), "tcp", fmt.Sprintf("%s:80", pods[other].Address()))
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
		}
	}
	if now := count(t, "/proc/self/task"); now > threads+50 {
		t.Errorf("%d threads before, %d with %d pods", threads, now, len(pods))
	}
	for i, p := range pods {
		_ = listeners[i].Close()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if now := count(t, "/proc/self/fd"); now > descriptors+10 {
		t.Errorf("%d descriptors before, %d after", descriptors, now)
	}
	// The kernel removes the interfaces asynchronously.
	deadline := time.Now().Add(time.Minute)
	for interfaces(t) > 10 {
		if time.Now().After(deadline) {
			t.Fatalf("the hub still has %d interfaces", interfaces(t))
		}
		<-time.After(10 * time.Millisecond)
	}
}

func interfaces(t testing.TB) int {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func BenchmarkAddPod(b *testing.B) {
	n := hub(b)
	for b.Loop() {
		p, err := n.AddPod(b.Context(), netip.MustParseAddr("10.244.3.3"))
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
