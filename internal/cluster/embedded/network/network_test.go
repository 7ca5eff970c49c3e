//go:build linux

package network_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/testing/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

func TestCheckAllowsNamespacesOfTests(t *testing.T) {
	nstest.Require(t)
	if err := network.Check(); err != nil {
		t.Fatalf("%v", err)
	}
}

// sharedNetwork is created once, because a process has only one hub.
var sharedNetwork = sync.OnceValues(func() (*network.Network, error) { return network.New(context.Background()) })

func hub(t testing.TB) *network.Network {
	t.Helper()
	nstest.Require(t)
	n, err := sharedNetwork()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func pod(t testing.TB, address string) network.Namespace {
	t.Helper()
	return added(t, hub(t).AddPod, address)
}

func node(t testing.TB, address string) network.Namespace {
	t.Helper()
	return added(t, hub(t).AddNode, address)
}

func added(t testing.TB, add func(context.Context, netip.Addr) (network.Namespace, error), address string) network.Namespace {
	t.Helper()
	ns, err := add(t.Context(), netip.MustParseAddr(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	return ns
}

// serve writes the local and the remote address to each connection.
func serve(t testing.TB, ns network.Namespace, address string) {
	t.Helper()
	l, err := ns.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(c, "%s from %s", hostOf(c.LocalAddr()), hostOf(c.RemoteAddr()))
			_ = c.Close()
		}
	}()
}

func hostOf(a net.Addr) netip.Addr { return a.(*net.TCPAddr).AddrPort().Addr().Unmap() }

// dial returns the reply of serve, or the error.
func dial(t testing.TB, from network.Namespace, address string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := from.Dial(ctx, "tcp", address)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = c.Close() }()
	b, err := io.ReadAll(c)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestHubNodesAndPodsReachEachOther(t *testing.T) {
	n := hub(t)
	a, b := pod(t, "10.244.0.2"), pod(t, "10.244.1.2")
	node1, node2 := node(t, "172.30.0.2"), node(t, "172.30.0.3")
	for _, ns := range []network.Namespace{a, b, node1, node2} {
		serve(t, ns, ":80")
	}
	serve(t, n.Hub(), "172.30.0.1:80")
	serve(t, n.Hub(), "10.96.0.10:80")
	serve(t, n.Hub(), "10.129.2.3:80")
	for _, tc := range []struct {
		from network.Namespace
		to   string
		want string
	}{
		{a, "10.244.1.2", "10.244.1.2 from 10.244.0.2"},
		{a, "10.244.0.2", "10.244.0.2 from 10.244.0.2"},
		{a, "127.0.0.1", "127.0.0.1 from 127.0.0.1"},
		{a, "172.30.0.2", "172.30.0.2 from 10.244.0.2"},
		{a, "172.30.0.1", "172.30.0.1 from 10.244.0.2"},
		{a, "10.96.0.10", "10.96.0.10 from 10.244.0.2"},
		{a, "10.129.2.3", "10.129.2.3 from 10.244.0.2"},
		{node1, "10.244.1.2", "10.244.1.2 from 172.30.0.2"},
		{node1, "172.30.0.3", "172.30.0.3 from 172.30.0.2"},
		{node1, "10.96.0.10", "10.96.0.10 from 172.30.0.2"},
		{n.Hub(), "10.244.1.2", "10.244.1.2 from 172.30.0.1"},
		{n.Hub(), "172.30.0.3", "172.30.0.3 from 172.30.0.1"},
		{n.Hub(), "10.96.0.10", "10.96.0.10 from 172.30.0.1"},
	} {
		if got := dial(t, tc.from, tc.to+":80"); got != tc.want {
			t.Errorf("from %s to %s: got %q, want %q", tc.from.Address(), tc.to, got, tc.want)
		}
	}
}
