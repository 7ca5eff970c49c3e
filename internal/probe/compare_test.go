package probe_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/probe"
)

func answer() probe.Observation {
	return probe.Observation{
		Status: 200,
		Header: http.Header{"Content-Type": {"image/svg+xml; charset=utf-8"}, "Vary": {"Accept", "Cookie"}},
		Body:   []byte("<svg><title>A  wedge\nof cheddar</title></svg>"),
		Served: &probe.Served{Namespace: "lab-1", Pod: "cheddar-7d4", App: "cheddar", Services: []string{"cheddar"}},
	}
}

func TestCompareReportsMismatches(t *testing.T) {
	unserved := answer()
	unserved.Served = nil
	stray := answer()
	stray.Served = &probe.Served{Pod: "p"}
	for name, tc := range map[string]struct {
		expect probe.Expectation
		in     probe.Observation
		want   []string
	}{
		"nothing expected": {probe.Expectation{}, answer(), nil},
		"all as expected": {probe.Expectation{
			Status: 200, Service: "cheddar", App: "cheddar", Pod: "cheddar-7d4", Namespace: "lab-1",
			Header: map[string]string{"content-type": "image/svg+xml*", "Vary": "Cookie", "X-Powered-By": ""}, Contains: []string{"wedge"},
		}, answer(), nil},
		"status": {probe.Expectation{Status: 503}, answer(), []string{"status: expected 503 Service Unavailable, observed 200 OK"}},
		"wrong cheese": {probe.Expectation{Service: "stilton", App: "stilton", Pod: "stilton-1"}, answer(), []string{
			"service: expected stilton, observed cheddar", "app: expected stilton, observed cheddar",
			"pod: expected stilton-1, observed cheddar-7d4",
		}},
		"not a workload": {probe.Expectation{Service: "c", App: "cheddar", Namespace: "lab-1"}, unserved, []string{
			"answered by: expected service c, app cheddar, observed no workload (no X-Served-By header)",
		}},
		"no workload, and none expected": {probe.Expectation{Status: 200, Namespace: "lab-1"}, unserved, nil},
		"pod of no service": {probe.Expectation{Service: "cheddar", Namespace: "lab-1"}, stray, []string{
			"service: expected cheddar, observed pod p, which no service has as an endpoint",
		}},
		"pod of a stranger": {probe.Expectation{App: "cheddar", Namespace: "lab-2"}, answer(), []string{
			"namespace: expected lab-2, observed lab-1 (another namespace)",
		}},
		"headers": {probe.Expectation{Header: map[string]string{"Content-Type": "text/*", "Vary": "", "Location": "*"}}, answer(), []string{
			`header Content-Type: expected "text/*", observed "image/svg+xml; charset=utf-8"`,
			`header Location: expected "*", observed none`,
			`header Vary: expected none, observed "Accept, Cookie"`,
		}},
		"body": {probe.Expectation{Contains: []string{"stilton"}}, answer(), []string{
			`body: expected to contain "stilton", observed "<svg><title>A wedge of cheddar</title></svg>"`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, m := range probe.Compare(tc.expect, tc.in) {
				got = append(got, m.String())
			}
			if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("mismatches:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestCompareCertificates(t *testing.T) {
	shown := probe.Observation{TLS: &probe.TLS{Names: []string{"b.test", "a.test"}, Fingerprint: probe.Fingerprint([]byte("one"))}}
	for name, tc := range map[string]struct {
		expect probe.Certificate
		in     probe.Observation
		want   string
	}{
		"names in another order": {probe.Certificate{Names: []string{"a.test", "b.test"}}, shown, ""},
		"fewer names": {probe.Certificate{Names: []string{"a.test"}}, shown,
			"names of the certificate: expected a.test, observed a.test, b.test"},
		"the same": {probe.Certificate{Fingerprint: probe.Fingerprint([]byte("one")), Owner: "secret x"}, shown, ""},
		"another": {probe.Certificate{Fingerprint: probe.Fingerprint([]byte("two")), Owner: "secret x"}, shown,
			"certificate: expected that of secret x, observed another one, for a.test, b.test"},
		"plain": {probe.Certificate{}, probe.Observation{}, "certificate: expected one, observed none, the connection is not TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := text(probe.Compare(probe.Expectation{Certificate: &tc.expect}, tc.in)); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestCompareReceivedRequest(t *testing.T) {
	const account = `{"method": "GET", "path": "/b", "query": "x=1", "host": "a.test", "protocol": "HTTP/1.1", "tls": null,
		"headers": {"X-Scheme": ["http"]}}`
	yes, no := true, false
	for name, tc := range map[string]struct {
		expect probe.Received
		body   string
		want   string
	}{
		"all as expected": {probe.Received{Method: "GET", Path: "/b", Query: "x=1", Host: "a.test", Protocol: "HTTP/1.1", TLS: &no,
			Header: map[string]string{"x-scheme": "ht*", "Authorization": ""}}, account, ""},
		"all different": {probe.Received{Path: "/a", TLS: &yes, Header: map[string]string{"X-Scheme": "", "X-Real-Ip": "*"}}, account,
			`arrived path: expected "/a", observed "/b"` + "\n" + `arrived over TLS: expected true, observed false` + "\n" +
				`arrived header X-Real-Ip: expected "*", observed none` + "\n" + `arrived header X-Scheme: expected none, observed "http"`},
		"no account": {probe.Received{Path: "/a"}, "hello", `body: expected a workload's account of the request (/echo), observed "hello"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := text(probe.Compare(probe.Expectation{Received: &tc.expect}, probe.Observation{Body: []byte(tc.body)})); got != tc.want {
				t.Errorf("%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func text(all []probe.Mismatch) string {
	var lines []string
	for _, m := range all {
		lines = append(lines, m.String())
	}
	return strings.Join(lines, "\n")
}

func TestMatchPattern(t *testing.T) {
	for _, tc := range []struct {
		pattern, value string
		want           bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"*", "x", true}, {"a*", "a", true}, {"a*c", "abc", true},
		{"a*c", "ac", true}, {"a*c", "acb", false}, {"aba*aba", "aba", false}, {"*b*", "abc", true}, {"*b*c*", "acb", false},
	} {
		o := probe.Observation{Header: http.Header{"X": {tc.value}}}
		got := len(probe.Compare(probe.Expectation{Header: map[string]string{"X": tc.pattern}}, o)) == 0
		if got != tc.want {
			t.Errorf("pattern %q on %q: %v, want %v", tc.pattern, tc.value, got, tc.want)
		}
	}
}
