package podnet

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	framework "k8s.io/client-go/tools/cache/testing"
)

// fakeHost is a Host in memory. It signals each change on channel changed.
type fakeHost struct {
	mu       sync.Mutex
	routes   []Route
	ruleset  string
	conflist string
	order    []string
	failOnce error
	changed  chan struct{}
}

func newFakeHost(routes ...Route) *fakeHost {
	return &fakeHost{routes: routes, changed: make(chan struct{}, 100)}
}

func (h *fakeHost) did(what string) {
	h.order = append(h.order, what)
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

func (h *fakeHost) MTU(netip.Addr) (int, error) { return 1500, nil }

func (h *fakeHost) Routes() ([]Route, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.routes), nil
}

func (h *fakeHost) AddRoute(r Route) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.failOnce; err != nil {
		h.failOnce = nil
		return err
	}
	h.routes = slices.DeleteFunc(h.routes, func(o Route) bool { return o.To == r.To })
	h.routes = append(h.routes, r)
	h.did("add " + r.String())
	return nil
}

func (h *fakeHost) RemoveRoute(r Route) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.routes = slices.DeleteFunc(h.routes, func(o Route) bool { return o == r })
	h.did("remove " + r.String())
	return nil
}

func (h *fakeHost) Masquerade(_ context.Context, ruleset string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ruleset = ruleset
	h.did("masquerade")
	return nil
}

func (h *fakeHost) Configure(conflist []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conflist = string(conflist)
	h.did("configure")
	return nil
}

// await waits for a condition, or until ctx ends.
func (h *fakeHost) await(ctx context.Context, t *testing.T, wanted func() bool) {
	t.Helper()
	for {
		h.mu.Lock()
		ok := wanted()
		h.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-h.changed:
		case <-ctx.Done():
			t.Fatalf("condition not met; calls: %q", h.order)
		}
	}
}

func daemon(host Host) *Daemon {
	return &Daemon{
		Node: "a", Host: host, ClusterRanges: prefixes("10.244.0.0/16"),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// The configuration makes the node Ready, and pods start at once.
func TestApplyConfiguresRuntimeLast(t *testing.T) {
	host := newFakeHost(route("10.244.9.0/24", "172.18.0.9"))
	peers := peersOf(t, node("a", "172.18.0.2", "10.244.0.0/24"), node("b", "172.18.0.3", "10.244.1.0/24"))
	if err := daemon(host).Apply(t.Context(), peers); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"add 10.244.1.0/24 via 172.18.0.3", "remove 10.244.9.0/24 via 172.18.0.9", "masquerade", "configure",
	}
	if !slices.Equal(host.order, want) {
		t.Errorf("calls are %q, want %q", host.order, want)
	}
}

// After a restart, a node might have another address. Its pods must stay reachable.
func TestApplyReplacesRouteInOneStep(t *testing.T) {
	host := newFakeHost(route("10.244.1.0/24", "172.18.0.3"))
	peers := peersOf(t, node("a", "172.18.0.2", "10.244.0.0/24"), node("b", "172.18.0.8", "10.244.1.0/24"))
	if err := daemon(host).Apply(t.Context(), peers); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(host.routes, []Route{route("10.244.1.0/24", "172.18.0.8")}) || slices.ContainsFunc(host.order, isRemoval) {
		t.Errorf("routes are %v after %q", host.routes, host.order)
	}
}

func isRemoval(step string) bool { return strings.HasPrefix(step, "remove") }

func TestApplyWithoutPodRangeDoesNotConfigureRuntime(t *testing.T) {
	host := newFakeHost()
	if err := daemon(host).Apply(t.Context(), peersOf(t, node("a", "172.18.0.2"))); err != nil {
		t.Errorf("error for a node without a pod range: %v", err)
	}
	if host.conflist != "" {
		t.Errorf("unexpected configuration %s", host.conflist)
	}
	if err := daemon(host).Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "node a") {
		t.Errorf("missing own node: error is %v", err)
	}
}

func TestApplyContinuesAfterRouteError(t *testing.T) {
	host := newFakeHost()
	host.failOnce = errors.New("network is unreachable")
	peers := peersOf(t, node("a", "172.18.0.2", "10.244.0.0/24"), node("b", "172.18.0.3", "10.244.1.0/24"),
		node("c", "172.18.0.4", "10.244.2.0/24"))
	if err := daemon(host).Apply(t.Context(), peers); err == nil || !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("err = %v", err)
	}
	if !slices.Equal(host.routes, []Route{route("10.244.2.0/24", "172.18.0.4")}) || host.conflist == "" {
		t.Errorf("routes = %v, configured = %v", host.routes, host.conflist != "")
	}
}

func TestRunAppliesNodeChanges(t *testing.T) {
	host := newFakeHost()
	// The invalid node must not affect the others.
	source := framework.NewFakeControllerSource()
	defer source.Shutdown()
	source.Add(node("a", "172.18.0.2", "10.244.0.0/24"))
	source.Add(node("broken", "nowhere"))
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- daemon(host).Run(ctx, source) }()
	host.await(ctx, t, func() bool { return host.conflist != "" && len(host.routes) == 0 })

	joined := node("b", "172.18.0.3", "10.244.1.0/24")
	source.Add(joined)
	host.await(ctx, t, func() bool { return slices.Equal(host.routes, []Route{route("10.244.1.0/24", "172.18.0.3")}) })
	source.Delete(joined)
	host.await(ctx, t, func() bool { return len(host.routes) == 0 })

	over := errors.New("over")
	stop(over)
	if err := <-ended; !errors.Is(err, over) {
		t.Errorf("Run returned %v", err)
	}
	if host.conflist == "" {
		t.Error("the end of the daemon removed the network of the pods")
	}
}
