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

func TestAPodReachesVirtualPodsAtTheirAddresses(t *testing.T) {
	nstest.Require(t)
	star, err := network.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = star.Close() })
	client, err := star.AddPod(t.Context(), netip.MustParseAddr("10.244.0.2"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	w := startOn(t, star.Hub().Listen, node("v1"), pod("a", "v1"), pod("b", "v1"))
	browser := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return client.Dial(ctx, network, address)
		},
	}}
	for _, name := range []string{"a", "b"} {
		address := w.untilReady(t, name).Status.PodIP
		answer, err := browser.Get(fmt.Sprintf("http://%s:%d/", address, Port))
		if err != nil {
			t.Fatalf("%s at %s: %v", name, address, err)
		}
		_ = answer.Body.Close()
		if got := answer.Header.Get(HeaderAddress); answer.StatusCode != http.StatusOK || got != address {
			t.Errorf("%s answers %s for %q, want %s", name, answer.Status, got, address)
		}
	}
	if answer, err := browser.Get(fmt.Sprintf("http://10.200.0.1:%d/", Port)); err == nil {
		_ = answer.Body.Close()
		t.Errorf("an address without a pod answers %s", answer.Status)
	}
}
