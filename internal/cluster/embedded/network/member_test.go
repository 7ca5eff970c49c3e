//go:build linux

package network_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

func TestPodsHaveSeparatePorts(t *testing.T) {
	a, b := pod(t, "10.244.2.2"), pod(t, "10.244.2.3")
	serve(t, a, "0.0.0.0:8080")
	serve(t, b, "0.0.0.0:8080")
	serve(t, a, "127.0.0.1:9090")
	if got, want := dial(t, b, "127.0.0.1:8080"), "127.0.0.1 from 127.0.0.1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := dial(t, b, "127.0.0.1:9090"); !strings.Contains(got, "connection refused") {
		t.Errorf("the loopback address reached another pod: %q", got)
	}
}

func TestUDPKeepsSourceAddress(t *testing.T) {
	a, b := pod(t, "10.244.2.4"), pod(t, "10.244.2.5")
	server, err := b.ListenPacket(t.Context(), "udp", "0.0.0.0:53")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	client, err := a.Dial(t.Context(), "udp", "10.244.2.5:53")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	_ = client.SetDeadline(time.Now().Add(time.Minute))
	_ = server.SetDeadline(time.Now().Add(time.Minute))
	if _, err := client.Write([]byte("query")); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	n, from, err := server.ReadFrom(buffer)
	if err != nil {
		t.Fatal(err)
	}
	if ip := from.(*net.UDPAddr).AddrPort().Addr().Unmap(); ip != a.Address() {
		t.Errorf("source is %s, want %s", ip, a.Address())
	}
	if _, err := server.WriteTo(buffer[:n], from); err != nil {
		t.Fatal(err)
	}
	if n, err = client.Read(buffer); string(buffer[:n]) != "query" || err != nil {
		t.Errorf("the reply is %q, %v", buffer[:n], err)
	}
}

// A program that listens on "localhost" might find both addresses in /etc/hosts.
func TestLoopbackHasIPv4AndIPv6(t *testing.T) {
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		t.Skip("this kernel has no IPv6")
	}
	l, err := pod(t, "10.244.2.14").Listen(t.Context(), "tcp", "[::1]:80")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

// A client that still uses the address of a deleted pod must get an error at once.
func TestDeletedPodIsUnreachable(t *testing.T) {
	a := pod(t, "10.244.2.6")
	deleted, err := hub(t).AddPod(t.Context(), netip.MustParseAddr("10.244.2.7"))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, deleted, ":80")
	if got, want := dial(t, a, "10.244.2.7:80"), "10.244.2.7 from 10.244.2.6"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	if err := deleted.Close(); err != nil {
		t.Fatal(err)
	}
	for _, from := range []network.Namespace{a, a, a, hub(t).Hub()} {
		if got := dial(t, from, "10.244.2.7:80"); !strings.Contains(got, "no route to host") {
			t.Errorf("%s got %q, want no route to host", from.Address(), got)
		}
	}
	// A new pod can get the address while processes of the old pod still run.
	serve(t, pod(t, "10.244.2.7"), ":81")
	if got, want := dial(t, a, "10.244.2.7:81"), "10.244.2.7 from 10.244.2.6"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClusterIPDoesNotAnswerPing(t *testing.T) {
	answers := func(ip string, within time.Duration) bool {
		c, err := net.Dial("ip4:icmp", ip) // the test runs in the hub
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		echo := []byte{8, 0, 0, 0, 0, 1, 0, 1} // RFC 792
		sum := ^(uint16(8)<<8 + 1 + 1)
		echo[2], echo[3] = byte(sum>>8), byte(sum)
		if _, err := c.Write(echo); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(within))
		for b := make([]byte, 100); ; {
			n, _, err := c.(*net.IPConn).ReadFrom(b)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return false
			}
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 && b[0] == 0 { // not the request itself
				return true
			}
		}
	}
	pod(t, "10.244.2.8")
	if !answers("10.244.2.8", time.Minute) {
		t.Error("a pod does not answer a ping")
	}
	if answers("10.96.7.7", 200*time.Millisecond) {
		t.Error("a cluster IP answers a ping")
	}
	a := pod(t, "10.244.2.9")
	if got := dial(t, a, "10.96.7.7:80"); !strings.Contains(got, "connection refused") {
		t.Errorf("got %q, want connection refused", got)
	}
}

func TestFDRefersToNamespace(t *testing.T) {
	a := pod(t, "10.244.2.10")
	var own, here unix.Stat_t
	if err := unix.Fstat(a.FD(), &own); err != nil {
		t.Fatal(err)
	}
	if err := unix.Stat("/proc/self/ns/net", &here); err != nil {
		t.Fatal(err)
	}
	if own.Ino == here.Ino {
		t.Error("the pod runs in the hub's namespace")
	}
	var of unix.Stat_t
	if err := unix.Fstat(hub(t).Hub().FD(), &of); err != nil {
		t.Fatal(err)
	}
	if of.Ino != here.Ino {
		t.Error("the process is not in the hub's namespace")
	}
}

func TestNetworkRejectsInvalidRequests(t *testing.T) {
	n := hub(t)
	a := pod(t, "10.244.2.11")
	ended, stop := context.WithCancel(t.Context())
	stop()
	closed, err := n.AddPod(t.Context(), netip.MustParseAddr("10.244.2.12"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
	}
	add := func(ctx context.Context, f func(context.Context, netip.Addr) (network.Namespace, error), ip string) error {
		_, err := f(ctx, netip.MustParseAddr(ip))
		return err
	}
	connect := func(ns network.Namespace, address string) error {
		_, err := ns.Dial(t.Context(), "tcp", address)
		return err
	}
	for want, err := range map[string]error{
		"network of pod 10.244.2.11: the address is in use":              add(t.Context(), n.AddPod, "10.244.2.11"),
		"pod address 172.30.0.9 is not in the pod range 10.244.0.0/16":   add(t.Context(), n.AddPod, "172.30.0.9"),
		"node address 172.30.0.1 is not in the node range 172.30.0.0/24": add(t.Context(), n.AddNode, "172.30.0.1"),
		"network of pod 10.244.2.13: context canceled":                   add(ended, n.AddPod, "10.244.2.13"),
		"address localhost:80: host name instead of an IP address":       connect(a, "localhost:80"),
		"use of closed network connection":                               connect(closed, "127.0.0.1:80"),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// A failed AddPod releases its address.
	pod(t, "10.244.2.13")
	if err := connect(a, "10.244.2.13:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: %v; want connection refused", err)
	}
}
