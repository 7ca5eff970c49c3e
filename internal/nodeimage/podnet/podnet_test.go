package podnet

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// node returns a Node with an internal address and pod ranges.
func node(name, address string, podRanges ...string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.NodeSpec{PodCIDRs: podRanges},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeHostName, Address: name},
			{Type: corev1.NodeInternalIP, Address: address},
		}},
	}
}

func peersOf(t *testing.T, nodes ...*corev1.Node) []Peer {
	t.Helper()
	var peers []Peer
	for _, n := range nodes {
		peer, err := PeerOf(n)
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, peer)
	}
	return peers
}

func prefixes(texts ...string) []netip.Prefix {
	var result []netip.Prefix
	for _, text := range texts {
		result = append(result, netip.MustParsePrefix(text))
	}
	return result
}

func route(to, via string) Route {
	return Route{To: netip.MustParsePrefix(to), Via: netip.MustParseAddr(via)}
}

func TestRoutesIncludeAllOtherNodes(t *testing.T) {
	dual := node("c", "172.18.0.4", "10.244.2.0/24", "fd00:10:244:2::/64")
	dual.Status.Addresses = append(dual.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: "fc00::4"})
	onlyFour := node("d", "172.18.0.5", "10.244.3.0/24", "fd00:10:244:3::/64")
	old := node("e", "172.18.0.6")
	old.Spec.PodCIDR = "10.244.4.0/24"
	peers := peersOf(t, node("b", "172.18.0.3", "10.244.1.0/24"), node("a", "172.18.0.2", "10.244.0.0/24"),
		dual, onlyFour, old, node("new", "172.18.0.7"))

	got := Routes("a", peers)
	want := []Route{
		route("10.244.1.0/24", "172.18.0.3"),
		route("10.244.2.0/24", "172.18.0.4"),
		route("10.244.3.0/24", "172.18.0.5"), // no IPv6 address for its IPv6 range
		route("10.244.4.0/24", "172.18.0.6"),
		route("fd00:10:244:2::/64", "fc00::4"),
	}
	if !slices.Equal(got, want) {
		t.Errorf("routes = %v, want %v", got, want)
	}
	slices.Reverse(peers)
	if again := Routes("a", peers); !slices.Equal(again, want) {
		t.Errorf("with another order of nodes, routes = %v", again)
	}
}

func TestDifference(t *testing.T) {
	kept, gone := route("10.244.1.0/24", "172.18.0.3"), route("10.244.2.0/24", "172.18.0.4")
	moved := route("10.244.3.0/24", "172.18.0.9")
	add, remove := Difference(
		[]Route{kept, gone, route("10.244.3.0/24", "172.18.0.5")},
		[]Route{kept, moved},
	)
	if !slices.Equal(add, []Route{moved}) || !slices.Equal(remove, []Route{gone, route("10.244.3.0/24", "172.18.0.5")}) {
		t.Errorf("add %v, remove %v", add, remove)
	}
}

func TestPeerErrorNamesNodeAndField(t *testing.T) {
	for field, broken := range map[string]*corev1.Node{
		"spec.podCIDRs":    node("n1", "172.18.0.2", "10.244.0.0"),
		"status.addresses": node("n1", "somewhere", "10.244.0.0/24"),
	} {
		_, err := PeerOf(broken)
		if err == nil || !strings.Contains(err.Error(), "n1") || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: err = %v", field, err)
		}
	}
}

func TestConflist(t *testing.T) {
	got, err := Conflist(prefixes("10.244.1.0/24", "fd00:10:244:1::/64"), 1450)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "dual-stack.conflist"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if _, err := Conflist(nil, 0); err == nil {
		t.Error("a node without a pod range got a configuration and would become Ready")
	}
}

func TestWriteConflistReplacesOnlyItsFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, conflistName)
	previous := ""
	for _, content := range []string{"one", "two", "two"} {
		before, _ := os.Stat(path) // nil the first time
		if err := WriteConflist(dir, []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Fatalf("content = %q, %v", got, err)
		}
		after, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		// Changed content is in a new file, so that readers never see a part.
		if same := before != nil && os.SameFile(before, after); same != (content == previous) {
			t.Errorf("after %q, %q: the same file = %v", previous, content, same)
		}
		previous = content
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory contains %v, %v", entries, err)
	}
	if err := WriteConflist(filepath.Join(dir, "missing"), []byte("x")); err == nil {
		t.Error("no error for a missing directory")
	}
}

func TestRulesetMasqueradesOnlyPacketsThatLeaveCluster(t *testing.T) {
	got := Ruleset(prefixes("10.244.1.0/24"), prefixes("10.244.0.0/16", "fd00:10:244::/56"))
	order := []string{
		"table ip podnet {}", "delete table ip podnet", "hook postrouting",
		"ip daddr 10.244.0.0/16 return", "ip saddr 10.244.1.0/24 masquerade",
	}
	at := 0
	for _, part := range order {
		next := strings.Index(got[at:], part)
		if next < 0 {
			t.Fatalf("%q is missing or too early in:\n%s", part, got)
		}
		at += next
	}
	if strings.Contains(got, "ip6") || strings.Contains(got, "fd00") {
		t.Errorf("IPv6 rules for a node without IPv6:\n%s", got)
	}
	dual := Ruleset(prefixes("10.244.1.0/24", "fd00::/64"), prefixes("10.244.0.0/16", "fd00::/56"))
	if !strings.Contains(dual, "ip6 saddr fd00::/64 masquerade") {
		t.Errorf("no IPv6 rules:\n%s", dual)
	}
}

func TestParseRanges(t *testing.T) {
	got, err := ParseRanges("10.244.0.0/16, fd00:10:244::/56")
	if err != nil || !slices.Equal(got, prefixes("10.244.0.0/16", "fd00:10:244::/56")) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, broken := range []string{"", "{{ .PodSubnet }}", "10.244.0.0/16,"} {
		if _, err := ParseRanges(broken); err == nil {
			t.Errorf("accepted %q", broken)
		}
	}
}
