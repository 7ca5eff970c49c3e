package virtual

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/testing/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

func TestPodReachesVirtualPods(t *testing.T) {
	nstest.Require(t)
	cluster, err := network.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	from, err := cluster.AddPod(t.Context(), netip.MustParseAddr("10.244.0.2"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = from.Close() })
	w := startOn(t, cluster.Hub().Listen, node("v1"), pod("a", "v1"), pod("b", "v1"))
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return from.Dial(ctx, network, address)
		},
	}}
	for _, name := range []string{"a", "b"} {
		address := w.untilReady(t, name).Status.PodIP
		response, err := client.Get(fmt.Sprintf("http://%s:%d/", address, Port))
		if err != nil {
			t.Fatalf("%s at %s: %v", name, address, err)
		}
		_ = response.Body.Close()
		if got := response.Header.Get(HeaderAddress); response.StatusCode != http.StatusOK || got != address {
			t.Errorf("%s: status %s, address %q, want %s", name, response.Status, got, address)
		}
	}
	if response, err := client.Get(fmt.Sprintf("http://10.200.0.1:%d/", Port)); err == nil {
		_ = response.Body.Close()
		t.Errorf("an address without a pod returned %s", response.Status)
	}
}
