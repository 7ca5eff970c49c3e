package routing_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/routing"
)

func TestExplainAgreesWithDecide(t *testing.T) {
	for _, g := range goldens(t) {
		table, _ := routing.Build(g.snapshot, g.options, nil)
		for _, line := range g.requests() {
			r := parseRequest(t, table, line)
			want := table.Decide(r)
			got, candidates := table.Explain(r)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s: Explain returns %+v, Decide returns %+v", g.name(), line, got, want)
			}
			checkCandidates(t, g.name()+": "+line, want, candidates)
		}
	}
}

func checkCandidates(t *testing.T, what string, d routing.Decision, candidates []routing.Candidate) {
	t.Helper()
	won, canaries := 0, 0
	for _, c := range candidates {
		if c.Why.String() == "" || strings.Contains(c.Why.String(), "{") {
			t.Errorf("%s: no sentence for %s", what, c.Route.Field)
		}
		switch {
		case c.Won && c.Canary != nil:
			canaries++
			if !d.Canary || c.Canary.Ingress != d.CanaryOf || c.Canary.Pool != d.Pool {
				t.Errorf("%s: canary %s won, but the decision has %s", what, c.Canary.Ingress, d.CanaryOf)
			}
		case c.Won:
			won++
			if c.Route != d.Route {
				t.Errorf("%s: %s won, but the decision has %s", what, c.Route.Field, d.Route.Field)
			}
		}
	}
	if (canaries == 1) != d.Canary || canaries > 1 {
		t.Errorf("%s: %d canaries won, but Decision.Canary is %v", what, canaries, d.Canary)
	}
	if (won == 1) != (d.Route != nil) || won > 1 {
		t.Errorf("%s: %d candidates won, but the route is %v", what, won, d.Route)
	}
}

func TestDecisionFieldsMatchAction(t *testing.T) {
	for _, g := range goldens(t) {
		table, _ := routing.Build(g.snapshot, g.options, nil)
		for _, line := range g.requests() {
			d := table.Decide(parseRequest(t, table, line))
			if d.Reason == "" {
				t.Errorf("%s: %s: no reason", g.name(), line)
			}
			switch d.Action {
			case routing.Forward:
				ok := d.Status == 0 && d.Route != nil && (d.Pool == d.Route.Pool || d.Canary || d.Unavailable != 0) && len(d.Pool.Endpoints) > 0 &&
					d.Timeouts.Connect > 0 && d.Timeouts.Read > 0 && d.Timeouts.Send > 0
				if !ok {
					t.Errorf("%s: %s: forwards with %+v", g.name(), line, d)
				}
			case routing.Refuse:
				if d.Status < 400 || d.Pool != nil || d.Timeouts != (routing.Timeouts{}) {
					t.Errorf("%s: %s: refuses with %+v", g.name(), line, d)
				}
			}
		}
	}
}

func TestDecisionHasTimeouts(t *testing.T) {
	table := manyHosts(1)
	got := table.Decide(routing.Request{Host: "host-0.test", Path: "/"}).Timeouts
	want := routing.Timeouts{Connect: 5 * time.Second, Read: 90 * time.Second, Send: 60 * time.Second}
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A golden cannot contain control characters.
func TestDecideRefusesControlCharacters(t *testing.T) {
	table := manyHosts(1)
	for _, path := range []string{"/a\tb", "/a b", "/a\r\nb", "/\x00", "/\x7f", "x", "*", "http://host/"} {
		d := table.Decide(routing.Request{Host: "host-0.test", Path: path})
		if d.Status != http.StatusBadRequest {
			t.Errorf("path %q gets %d, want 400", path, d.Status)
		}
	}
}

// Without virtualHost.longest, this request would hash terabytes and exceed the time limit.
func TestPathWithManySlashes(t *testing.T) {
	s := manyHostsSnapshot(1)
	http := s.Ingresses[0].Spec.Rules[0].HTTP
	for i := range 20 { // a map with few keys hashes none
		path := http.Paths[0]
		path.Path = fmt.Sprintf("/rule-%d", i)
		http.Paths = append(http.Paths, path)
	}
	table, _ := routing.Build(s, routing.Options{WatchIngressWithoutClass: true}, nil)
	d := table.Decide(routing.Request{Host: "host-0.test", Path: strings.Repeat("/a", 1<<22)})
	if d.Action != routing.Forward {
		t.Errorf("%d %s", d.Status, d.Reason)
	}
}

// Decide runs for every request. It must not allocate for a usual request, and otherwise only for
// the canonical form.
func TestDecideAllocations(t *testing.T) {
	table := manyHosts(100)
	for _, tc := range []struct {
		name, host, path string
		atMost           float64
	}{
		{"in canonical form", "host-7.test", "/app/x", 0},
		{"with a port", "host-7.test:8080", "/", 0},
		{"in upper case", "HOST-7.test", "/app", 2},
		{"with an escape", "host-7.test", "/%61pp", 1},
		{"for an unknown host", "unknown.test", "/", 0},
		{"with a bad path", "host-7.test", "/../x", 1},
	} {
		r := routing.Request{Host: tc.host, Path: tc.path}
		var d routing.Decision
		if got := testing.AllocsPerRun(100, func() { d = table.Decide(r) }); got > tc.atMost {
			t.Errorf("a request %s: %v allocations, want at most %v (%+v)", tc.name, got, tc.atMost, d)
		}
	}
}
