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

// A watch of the Kubernetes API is a connection that mostly waits, and there are many of them.
func TestIdleConnectionsCostLittle(t *testing.T) {
	const connections = 200
	l := listen(t)
	address := carried(t, to(l.Addr()))
	used := func() (memory uint64, descriptors int) {
		runtime.GC()
		runtime.GC() // what a sync.Pool holds survives one
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
		// Each has been of use before.
		fmt.Fprint(client, "x") //nolint:errcheck // the server will miss it
		fmt.Fprint(server, "y") //nolint:errcheck // the client will miss it
		for _, end := range []net.Conn{client, server} {
			if _, err := io.ReadFull(end, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	nowMemory, nowDescriptors := used()
	// Two sockets are the test's own and two are what carries.
	if each := float64(nowDescriptors-descriptors) / connections; each > 4.1 {
		t.Errorf("%.1f descriptors for each connection, both ends included; want 4", each)
	}
	if each := int64(nowMemory-memory) / connections; each > 48<<10 {
		t.Errorf("%d bytes for each connection, both ends included; want less than a buffer", each)
	} else {
		t.Logf("%d bytes for each", each)
	}
	runtime.KeepAlive(ends)
}
