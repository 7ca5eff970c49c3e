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

func TestCompareFindsWhatDiffers(t *testing.T) {
	nobody := answer()
	nobody.Served = nil
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
			"service: expected stilton, observed cheddar", "app: expected stilton, observed cheddar", "pod: expected stilton-1, observed cheddar-7d4",
		}},
		"not a workload": {probe.Expectation{Service: "c", App: "cheddar", Namespace: "lab-1"}, nobody, []string{
			"answered by: expected service c, app cheddar, observed no workload (there is no X-Served-By header)",
		}},
		"nobody, as nobody was expected": {probe.Expectation{Status: 200, Namespace: "lab-1"}, nobody, nil},
		"pod of no service": {probe.Expectation{Service: "cheddar", Namespace: "lab-1"}, stray, []string{
			"service: expected cheddar, observed pod p, which no service has as an endpoint",
		}},
		"pod of a stranger": {probe.Expectation{App: "cheddar", Namespace: "lab-2"}, answer(), []string{
			"namespace: expected lab-2, observed lab-1 (a pod of somebody else)",
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

func TestHeaderPatterns(t *testing.T) {
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
