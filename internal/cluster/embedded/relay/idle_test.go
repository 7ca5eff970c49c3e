//go:build linux

package relay_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
)

// Watches of the Kubernetes API are many connections that are mostly idle.
func TestIdleConnectionHoldsNoBuffer(t *testing.T) {
	const connections = 200
	l := listen(t)
	address := relayed(t, to(l.Addr()))
	used := func() (memory uint64, descriptors int) {
		runtime.GC()
		runtime.GC() // objects in a sync.Pool survive one collection
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return m.HeapAlloc + m.StackInuse, len(entries)
	}
	memory, descriptors := used()
	ends := make([]net.Conn, 0, 2*connections)
	for range connections {
		client := connect(t, address)
		server := accept(t, l)
		ends = append(ends, client, server)
		// Transfer a byte on each connection first.
		fmt.Fprint(client, "x") //nolint:errcheck // the read below fails
		fmt.Fprint(server, "y") //nolint:errcheck // the read below fails
		for _, end := range []net.Conn{client, server} {
			if _, err := io.ReadFull(end, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	nowMemory, nowDescriptors := used()
	// Two sockets belong to the test, and two to the relay.
	if each := float64(nowDescriptors-descriptors) / connections; each > 4.1 {
		t.Errorf("%.1f descriptors per connection with both ends; want 4", each)
	}
	if each := int64(nowMemory-memory) / connections; each > 48<<10 {
		t.Errorf("%d bytes per connection with both ends; want less than a buffer", each)
	} else {
		t.Logf("%d bytes per connection", each)
	}
	runtime.KeepAlive(ends)
}
