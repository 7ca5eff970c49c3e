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

// world is a private network with a node and two pods, and Services in it.
type world struct {
	t      *testing.T
	client *fake.Clientset
	pods   map[string]network.Namespace // by address
	node   network.Namespace
	mu     sync.Mutex
	said   []string
}

const (
	first, second = "10.244.0.2", "10.244.0.3"
	nodeAddress   = "172.30.0.2"
	deadline      = 10 * time.Second
)

// theNetwork is there once: its hub is the namespace that the tests run in.
var theNetwork = sync.OnceValues(func() (*network.Network, error) { return network.New(context.Background()) })

// start brings up the network and the Services of the objects, and returns when they are served.
func start(t *testing.T, text string) *world {
	t.Helper()
	nstest.Require(t)
	star, err := theNetwork()
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
	w := &world{t: t, client: fake.NewClientset(objects...), pods: map[string]network.Namespace{}}
	if w.node, err = star.AddNode(t.Context(), netip.MustParseAddr(nodeAddress)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.node.Close() })
	for _, address := range []string{first, second} {
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
		t.Fatal("the Services are not served")
	}
	return w
}

func (w *world) log(format string, arguments ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, fmt.Sprintf(format, arguments...))
}

// serve makes a pod answer every line, over TCP 8080, and every packet, over UDP 5353, with its address.
func (w *world) serve(address string) {
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
				defer c.Close() //nolint:errcheck // the test is about who answers
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
func (w *world) dial(protocol, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	c, err := w.pods[first].Dial(ctx, protocol, address)
	if err == nil {
		w.t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

// askWho sends a line and returns the answer.
func askWho(c net.Conn) (string, error) {
	_ = c.SetDeadline(time.Now().Add(deadline))
	if _, err := fmt.Fprintln(c, "who are you?"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line), err
}

// who asks an address from the first pod, some times, and returns who answered, sorted.
func (w *world) who(protocol, address string) []string {
	w.t.Helper()
	var all []string
	for range 4 {
		c, err := w.dial(protocol, address)
		if err != nil {
			w.t.Fatal(err)
		}
		answer, err := askWho(c)
		if err != nil {
			w.t.Fatalf("%s %s: %v", protocol, address, err)
		}
		all = append(all, answer)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// eventually waits until a condition holds.
func (w *world) eventually(what string, condition func() bool) {
	w.t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(deadline)
	for !condition() {
		select {
		case <-ticker.C:
		case <-timeout:
			w.t.Fatalf("never: %s", what)
		}
	}
}

func (w *world) refused(address string) bool {
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
  ports: [{name: http, port: 80, nodePort: 30080}, {name: ask, port: 53, protocol: UDP}]
---
kind: EndpointSlice
metadata: {namespace: shop, name: api--1}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}, {name: ask, port: 5353, protocol: UDP}]
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

func TestServicesAreReached(t *testing.T) {
	w := start(t, shop)
	both := []string{first, second}
	for _, at := range []string{"10.96.1.1:80", nodeAddress + ":30080"} {
		if got := w.who("tcp4", at); !slices.Equal(got, both) {
			t.Errorf("%s is answered by %v", at, got)
		}
	}
	if got := w.who("udp4", "10.96.1.1:53"); !slices.Equal(got, both) {
		t.Errorf("over UDP it is answered by %v", got)
	}
	if !w.refused("10.96.1.1:81") {
		t.Error("a port that the Service does not have is open")
	}
	c, err := w.node.Dial(t.Context(), "tcp4", "127.0.0.1:30080")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only who answers counts
	if got, err := askWho(c); err != nil || !slices.Contains(both, got) {
		t.Errorf("the node itself hears %q, %v", got, err)
	}
}

func TestNamesAreResolvedOverBothProtocols(t *testing.T) {
	w := start(t, shop)
	for _, protocol := range []string{"udp4", "tcp4"} {
		conn, err := w.dial(protocol, network.DNS.String()+":53")
		if err != nil {
			t.Fatal(err)
		}
		question := new(dns.Msg)
		question.SetQuestion("api.shop.svc.cluster.local.", dns.TypeA)
		reply, _, err := (&dns.Client{Net: strings.TrimSuffix(protocol, "4"), Timeout: deadline}).ExchangeWithConn(question, &dns.Conn{Conn: conn})
		if err != nil {
			t.Fatalf("%s: %v", protocol, err)
		}
		if len(reply.Answer) != 1 || !strings.HasSuffix(reply.Answer[0].String(), "10.96.1.1") {
			t.Errorf("%s: %v", protocol, reply)
		}
	}
}

// A rollout may leave a Service without endpoints for a moment. That must not end what goes on with a pod that still serves.
func TestWithoutEndpointsNewConnectionsAreRefused(t *testing.T) {
	w := start(t, shop)
	old, err := w.dial("tcp4", "10.96.1.1:80")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := askWho(old); err != nil {
		t.Fatal(err)
	}
	w.endpoints()
	w.eventually("refused", func() bool { return w.refused("10.96.1.1:80") && w.refused(nodeAddress+":30080") })
	if _, err := askWho(old); err != nil {
		t.Errorf("an old connection is broken: %v", err)
	}
	w.endpoints(second)
	w.eventually("let in again", func() bool { return !w.refused("10.96.1.1:80") })
	if got := w.who("tcp4", "10.96.1.1:80"); !slices.Equal(got, []string{second}) {
		t.Errorf("answered by %v", got)
	}
	if _, err := askWho(old); err != nil {
		t.Errorf("an old connection is broken: %v", err)
	}
	if err := w.client.CoreV1().Services("shop").Delete(t.Context(), "api", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("gone", func() bool { return w.refused("10.96.1.1:80") })
}

// A resolver that keeps its port must not go on with an endpoint that is no more.
func TestPacketsFollowTheEndpoints(t *testing.T) {
	w := start(t, shop)
	w.endpoints(first)
	w.eventually("the first alone", func() bool { return slices.Equal(w.who("udp4", "10.96.1.1:53"), []string{first}) })
	c, err := w.dial("udp4", "10.96.1.1:53")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := askWho(c); got != first || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	w.endpoints(second)
	w.eventually("the second", func() bool {
		_ = c.SetDeadline(time.Now().Add(time.Second))
		if _, err := fmt.Fprintln(c, "?"); err != nil {
			return false
		}
		buffer := make([]byte, 512)
		n, err := c.Read(buffer)
		return err == nil && strings.TrimSpace(string(buffer[:n])) == second
	})
}

// What one Service cannot have is said with its name, others go on, and it gets it when it is free.
func TestAPortThatIsTaken(t *testing.T) {
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
	w.eventually("said", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.said, func(s string) bool {
			return strings.Contains(s, "service shop/api: one:30081/TCP") && strings.Contains(s, "in use")
		})
	})
	if got := w.who("tcp4", "10.96.1.1:80"); len(got) != 2 {
		t.Errorf("the virtual address is answered by %v", got)
	}
	_ = l.Close()
	w.eventually("served", func() bool { return !w.refused(nodeAddress + ":30081") })
}

// endpoints replaces who is ready.
func (w *world) endpoints(addresses ...string) {
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
