package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/testing/nstest"
)

// testCluster is a network with one node and two pods, and a running Service implementation.
type testCluster struct {
	t      *testing.T
	client *fake.Clientset
	pods   map[string]network.Namespace // by pod IP
	node   network.Namespace
	mu     sync.Mutex
	logged []string
}

const (
	firstPod, secondPod = "10.244.0.2", "10.244.0.3"
	nodeAddress         = "172.30.0.2"
	deadline            = 10 * time.Second
)

// sharedNetwork is created once, because its hub is the network namespace of the test process.
var sharedNetwork = sync.OnceValues(func() (*network.Network, error) { return network.New(context.Background()) })

// start creates the cluster and waits until Run serves the Services.
func start(t *testing.T, text string) *testCluster {
	t.Helper()
	nstest.Require(t)
	star, err := sharedNetwork()
	if err != nil {
		t.Fatal(err)
	}
	c := manifests(t, text)
	var objects []runtime.Object
	for k, s := range c.services {
		objects = append(objects, s)
		for _, slice := range c.slices[k] {
			objects = append(objects, slice)
		}
	}
	w := &testCluster{t: t, client: fake.NewClientset(objects...), pods: map[string]network.Namespace{}}
	if w.node, err = star.AddNode(t.Context(), netip.MustParseAddr(nodeAddress)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.node.Close() })
	for _, address := range []string{firstPod, secondPod} {
		if w.pods[address], err = star.AddPod(t.Context(), netip.MustParseAddr(address)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.pods[address].Close() })
		w.serve(address)
	}
	ready := make(chan struct{})
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		done <- Run(ctx, Config{
			Client: w.client, Hub: star.Hub(), Nodes: map[string]network.Namespace{"one": w.node}, ClusterDomain: "cluster.local", Log: w.log,
		}, func() { close(ready) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- nil
		t.Fatalf("Run ended: %v", err)
	case <-time.After(deadline):
		t.Fatal("ready was not called in time")
	}
	return w
}

func (w *testCluster) log(format string, arguments ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logged = append(w.logged, fmt.Sprintf(format, arguments...))
}

// serve makes a pod reply with its address to each line on TCP 8080 and each packet on UDP 5353.
func (w *testCluster) serve(address string) {
	w.t.Helper()
	ns := w.pods[address]
	l, err := ns.Listen(w.t.Context(), "tcp4", ":8080")
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := ns.ListenPacket(w.t.Context(), "udp4", ":5353")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _, _ = l.Close(), p.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() //nolint:errcheck // the error does not matter
				for lines := bufio.NewScanner(c); lines.Scan(); {
					_, _ = fmt.Fprintln(c, address)
				}
			}()
		}
	}()
	go func() {
		buffer := make([]byte, 512)
		for {
			_, from, err := p.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = p.WriteTo([]byte(address+"\n"), from)
		}
	}()
}

// dial connects from the first pod.
func (w *testCluster) dial(protocol, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	c, err := w.pods[firstPod].Dial(ctx, protocol, address)
	if err == nil {
		w.t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

// exchange sends a line and returns the reply.
func exchange(c net.Conn) (string, error) {
	_ = c.SetDeadline(time.Now().Add(deadline))
	if _, err := fmt.Fprintln(c, "ping"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line), err
}

// endpointsBehind connects from the first pod four times, and returns the distinct replies, sorted.
func (w *testCluster) endpointsBehind(protocol, address string) []string {
	w.t.Helper()
	var all []string
	for range 4 {
		c, err := w.dial(protocol, address)
		if err != nil {
			w.t.Fatal(err)
		}
		answer, err := exchange(c)
		if err != nil {
			w.t.Fatalf("%s %s: %v", protocol, address, err)
		}
		all = append(all, answer)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// eventually waits until a condition holds.
func (w *testCluster) eventually(what string, condition func() bool) {
	w.t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(deadline)
	for !condition() {
		select {
		case <-ticker.C:
		case <-timeout:
			w.t.Fatalf("timed out: %s", what)
		}
	}
}

func (w *testCluster) refused(address string) bool {
	c, err := w.dial("tcp4", address)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

const shop = `
kind: Service
metadata: {namespace: shop, name: api}
spec:
  type: NodePort
  clusterIP: 10.96.1.1
  ports: [{name: http, port: 80, nodePort: 30080}, {name: dns, port: 53, protocol: UDP}]
---
kind: EndpointSlice
metadata: {namespace: shop, name: api--1}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}, {name: dns, port: 5353, protocol: UDP}]
endpoints:
- {addresses: [10.244.0.2], nodeName: one, conditions: {ready: true}}
- {addresses: [10.244.0.3], nodeName: one, conditions: {ready: true}}
---
kind: Service
metadata: {namespace: kube-system, name: kube-dns}
spec: {clusterIP: 10.96.0.10, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]}
---
kind: EndpointSlice
metadata: {namespace: kube-system, name: kube-dns--1}
addressType: IPv4
ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
endpoints: [{addresses: [172.30.0.1]}]
`

func TestServiceForwardsToEndpoints(t *testing.T) {
	w := start(t, shop)
	both := []string{firstPod, secondPod}
	for _, at := range []string{"10.96.1.1:80", nodeAddress + ":30080"} {
		if got := w.endpointsBehind("tcp4", at); !slices.Equal(got, both) {
			t.Errorf("%s forwards to %v", at, got)
		}
	}
	if got := w.endpointsBehind("udp4", "10.96.1.1:53"); !slices.Equal(got, both) {
		t.Errorf("UDP: forwards to %v", got)
	}
	if !w.refused("10.96.1.1:81") {
		t.Error("port 81 is open, but the Service does not have it")
	}
	c, err := w.node.Dial(t.Context(), "tcp4", "127.0.0.1:30080")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // the error does not matter
	if got, err := exchange(c); err != nil || !slices.Contains(both, got) {
		t.Errorf("from the node: reply %q, error %v", got, err)
	}
}

func TestDNSServerUsesUDPAndTCP(t *testing.T) {
	w := start(t, shop)
	for _, protocol := range []string{"udp4", "tcp4"} {
		conn, err := w.dial(protocol, network.DNS.String()+":53")
		if err != nil {
			t.Fatal(err)
		}
		query := new(dns.Msg).SetQuestion("api.shop.svc.cluster.local.", dns.TypeA)
		reply, _, err := (&dns.Client{Net: strings.TrimSuffix(protocol, "4"), Timeout: deadline}).ExchangeWithConn(query, &dns.Conn{Conn: conn})
		if err != nil {
			t.Fatalf("%s: %v", protocol, err)
		}
		if len(reply.Answer) != 1 || !strings.HasSuffix(reply.Answer[0].String(), "10.96.1.1") {
			t.Errorf("%s: %v", protocol, reply)
		}
	}
}

// During a rollout, a Service might have no endpoints for a moment. Existing connections must
// continue.
func TestServiceWithoutEndpointsRefusesOnlyNewConnections(t *testing.T) {
	w := start(t, shop)
	old, err := w.dial("tcp4", "10.96.1.1:80")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exchange(old); err != nil {
		t.Fatal(err)
	}
	w.endpoints()
	w.eventually("new connections are refused", func() bool { return w.refused("10.96.1.1:80") && w.refused(nodeAddress+":30080") })
	if _, err := exchange(old); err != nil {
		t.Errorf("the existing connection is broken: %v", err)
	}
	w.endpoints(secondPod)
	w.eventually("new connections are accepted again", func() bool { return !w.refused("10.96.1.1:80") })
	if got := w.endpointsBehind("tcp4", "10.96.1.1:80"); !slices.Equal(got, []string{secondPod}) {
		t.Errorf("forwards to %v", got)
	}
	if _, err := exchange(old); err != nil {
		t.Errorf("the existing connection is broken: %v", err)
	}
	if err := w.client.CoreV1().Services("shop").Delete(t.Context(), "api", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("connections to the deleted Service are refused", func() bool { return w.refused("10.96.1.1:80") })
}

// A resolver that keeps its port must not keep using a removed endpoint.
func TestUDPFlowFollowsEndpoints(t *testing.T) {
	w := start(t, shop)
	w.endpoints(firstPod)
	w.eventually("only the first pod replies", func() bool {
		return slices.Equal(w.endpointsBehind("udp4", "10.96.1.1:53"), []string{firstPod})
	})
	c, err := w.dial("udp4", "10.96.1.1:53")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := exchange(c); got != firstPod || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	w.endpoints(secondPod)
	w.eventually("the second pod replies", func() bool {
		_ = c.SetDeadline(time.Now().Add(time.Second))
		if _, err := fmt.Fprintln(c, "?"); err != nil {
			return false
		}
		buffer := make([]byte, 512)
		n, err := c.Read(buffer)
		return err == nil && strings.TrimSpace(string(buffer[:n])) == secondPod
	})
}

// A node port in use is logged with the Service, does not affect other ports, and is opened once
// free.
func TestServiceRetriesPortInUse(t *testing.T) {
	w := start(t, shop)
	l, err := w.node.Listen(t.Context(), "tcp4", ":30081")
	if err != nil {
		t.Fatal(err)
	}
	service, err := w.client.CoreV1().Services("shop").Get(t.Context(), "api", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	service = service.DeepCopy()
	service.Spec.Ports[0].NodePort = 30081
	if _, err := w.client.CoreV1().Services("shop").Update(t.Context(), service, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the problem is logged", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.logged, func(s string) bool {
			return strings.Contains(s, "service shop/api: one:30081/TCP") && strings.Contains(s, "in use")
		})
	})
	if got := w.endpointsBehind("tcp4", "10.96.1.1:80"); len(got) != 2 {
		t.Errorf("the cluster IP forwards to %v", got)
	}
	_ = l.Close()
	w.eventually("the node port is open", func() bool { return !w.refused(nodeAddress + ":30081") })
}

// endpoints replaces the endpoints of Service shop/api.
func (w *testCluster) endpoints(addresses ...string) {
	w.t.Helper()
	api := w.client.DiscoveryV1().EndpointSlices("shop")
	slice, err := api.Get(w.t.Context(), "api--1", metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	slice = slice.DeepCopy()
	slice.Endpoints = nil
	for _, address := range addresses {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}})
	}
	if _, err := api.Update(w.t.Context(), slice, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}
