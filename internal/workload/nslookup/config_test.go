package nslookup

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseConfig(t *testing.T) {
	got, err := parseConfig(strings.NewReader(`
# comment
; comment
domain old.test
search a.test b.test.
nameserver 10.96.0.10
nameserver fd00::a
nameserver
options ndots:5 timeout:2 attempts:3 rotate edns0
sortlist 10.0.0.0
`))
	want := config{
		servers: []string{"10.96.0.10:53", "[fd00::a]:53"}, search: []string{"a.test", "b.test"},
		ndots: 5, timeout: 2 * time.Second, tries: 3,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("parseConfig = %+v, %v, want %+v", got, err, want)
	}
}

func TestParseConfigBoundsItsOptions(t *testing.T) {
	got, err := parseConfig(strings.NewReader("options ndots:99 timeout:0 attempts:1000 ndots:x\n"))
	if err != nil || got.ndots != 15 || got.timeout != time.Second || got.tries != 5 {
		t.Errorf("parseConfig = %+v, %v, want ndots 15, timeout 1s, 5 tries", got, err)
	}
	if _, err := parseConfig(strings.NewReader("nameserver somewhere\n")); err == nil || !strings.Contains(err.Error(), "nameserver") {
		t.Errorf("a name server that is no address: %v, want an error", err)
	}
}

func TestCandidates(t *testing.T) {
	c := config{search: []string{"ns.svc.cluster.local", "", "cluster.local"}, ndots: 2}
	for name, want := range map[string]string{
		"api":        "api.ns.svc.cluster.local. api.cluster.local. api.",
		"api.other":  "api.other.ns.svc.cluster.local. api.other.cluster.local. api.other.",
		"www.a.test": "www.a.test. www.a.test.ns.svc.cluster.local. www.a.test.cluster.local.",
		"www.a.":     "www.a.",
	} {
		if got := strings.Join(c.candidates(name), " "); got != want {
			t.Errorf("candidates(%q) = %s, want %s", name, got, want)
		}
	}
}

func TestReverse(t *testing.T) {
	for address, want := range map[string]string{
		"10.96.0.7":      "7.0.96.10.in-addr.arpa.",
		"::ffff:1.2.3.4": "4.3.2.1.in-addr.arpa.",
		"2001:db8::1":    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
	} {
		if got := reverse(netip.MustParseAddr(address)); got != want {
			t.Errorf("reverse(%s) = %s, want %s", address, got, want)
		}
	}
}
