package nslookup

import (
	"slices"
	"strings"
	"testing"
)

func TestConfigureReadsResolvConf(t *testing.T) {
	l := &lookup{name: "a"}
	err := l.configure(t.Context(), write(t, `
# comment
; comment
domain old.test
search a.test . b.test.
nameserver 10.96.0.10
nameserver fd00::a
nameserver
options ndots:5 timeout:2 attempts:3 rotate edns0
sortlist 10.0.0.0
`))
	c := l.config
	if err != nil || !slices.Equal(c.Servers, []string{"10.96.0.10", "fd00::a"}) || c.Ndots != 5 || c.Timeout != 2 || c.Attempts != 3 {
		t.Errorf("configure = %+v, %v", c, err)
	}
	if got := strings.Join(c.NameList("api"), " "); got != "api.a.test. api.b.test. api." {
		t.Errorf("names of api: %s", got)
	}
}

func TestConfigureLimitsOptions(t *testing.T) {
	l := &lookup{name: "a"}
	err := l.configure(t.Context(), write(t, "nameserver 127.0.0.1\noptions ndots:99 timeout:99 attempts:1000 ndots:x\n"))
	if c := l.config; err != nil || c.Timeout != 30 || c.Attempts != 5 {
		t.Errorf("configure = %+v, %v, want a timeout of 30 s and 5 attempts", c, err)
	}
	if err := l.configure(t.Context(), write(t, "search a.test\n")); err == nil || !strings.Contains(err.Error(), "has no nameserver") {
		t.Errorf("without a DNS server: %v, want an error", err)
	}
}

func TestNameList(t *testing.T) {
	l := &lookup{name: "a"}
	file := write(t, "search ns.svc.cluster.local . cluster.local\nnameserver 127.0.0.1\noptions ndots:2\n")
	if err := l.configure(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"api":        "api.ns.svc.cluster.local. api.cluster.local. api.",
		"api.other":  "api.other.ns.svc.cluster.local. api.other.cluster.local. api.other.",
		"www.a.test": "www.a.test. www.a.test.ns.svc.cluster.local. www.a.test.cluster.local.",
		"www.a.":     "www.a.",
	} {
		if got := strings.Join(l.config.NameList(name), " "); got != want {
			t.Errorf("names of %q: %s, want %s", name, got, want)
		}
	}
}

func TestParseReversesAddress(t *testing.T) {
	for address, want := range map[string]string{
		"10.96.0.7":      "7.0.96.10.in-addr.arpa.",
		"::ffff:1.2.3.4": "4.3.2.1.in-addr.arpa.",
		"2001:db8::1":    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
	} {
		if l, err := parse([]string{address}); err != nil || l.name != want {
			t.Errorf("parse(%s) = %+v, %v, want %s", address, l, err, want)
		}
	}
}
