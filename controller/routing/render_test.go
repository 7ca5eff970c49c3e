package routing_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// renderTable writes a table the way the goldens show it: a line for each host, and below it its routes in the order in
// which they are preferred.
func renderTable(table *routing.Table) string {
	var b strings.Builder
	heading := ""
	for _, r := range table.Routes() {
		if h := headingOf(table, r); h != heading {
			heading = h
			fmt.Fprintln(&b, h)
		}
		fmt.Fprintf(&b, "  %s -> %s\n", matchOf(r), targetOf(r))
	}
	return b.String()
}

func headingOf(table *routing.Table, r *routing.Route) string {
	switch {
	case r.Ingress.Name == "":
		return "(the controller's default)"
	case r == table.CatchAll():
		return "(catch-all)"
	case r.Host == "":
		return "(any host)"
	}
	return r.Host
}

func matchOf(r *routing.Route) string {
	if r.PathType == "" {
		return "default"
	}
	return string(r.PathType) + " " + r.Path
}

func targetOf(r *routing.Route) string {
	var b strings.Builder
	if r.Pool.Service.Name == "" {
		b.WriteString("nothing")
	} else {
		b.WriteString(r.Pool.Key())
	}
	if r.Closed != "" {
		b.WriteString(", closed")
	}
	for _, e := range r.Pool.Endpoints {
		b.WriteString(" " + e.Address.String())
	}
	for _, d := range []struct {
		name      string
		got, what time.Duration
	}{
		{"connect", r.Timeouts.Connect, annotations.DefaultConnectTimeout},
		{"read", r.Timeouts.Read, annotations.DefaultReadTimeout},
		{"send", r.Timeouts.Send, annotations.DefaultSendTimeout},
	} {
		if d.got != d.what {
			fmt.Fprintf(&b, " %s=%v", d.name, d.got)
		}
	}
	return b.String()
}

func renderProblems(problems []routing.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%s: %s\n", p.Code, p)
	}
	return b.String()
}

func renderRequests(t testing.TB, table *routing.Table, lines []string) string {
	t.Helper()
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "%s -> %s\n", line, renderDecision(table.Decide(parseRequest(t, line))))
	}
	return b.String()
}

func renderDecision(d routing.Decision) string {
	if d.Action == routing.Forward {
		return d.Pool.Key()
	}
	return fmt.Sprintf("%d %s", d.Status, d.Reason)
}

// renderExplain writes the candidates of each request of a section: the request at the margin, its candidates indented.
func renderExplain(t testing.TB, table *routing.Table, section string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, " ") {
			continue
		}
		request, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " -> ")
		decision, candidates := table.Explain(parseRequest(t, request))
		fmt.Fprintf(&b, "%s -> %s\n", request, renderDecision(decision))
		for _, c := range candidates {
			mark := "-"
			if c.Won {
				mark = "+"
			}
			fmt.Fprintf(&b, "  %s %s%s of %s: %s\n", mark, c.Route.Host, matchText(c.Route), ingressText(c.Route), c.Why)
		}
	}
	return b.String()
}

func matchText(r *routing.Route) string {
	if r.Host == "" {
		return matchOf(r)
	}
	return " " + matchOf(r)
}

func ingressText(r *routing.Route) string {
	if r.Ingress.Name == "" {
		return "the controller"
	}
	return r.Ingress.String()
}

// parseRequest reads "host/path". The host may have a port, and the path may be missing.
func parseRequest(t testing.TB, line string) routing.Request {
	t.Helper()
	host, path := line, ""
	if i := strings.IndexByte(line, '/'); i >= 0 {
		host, path = line[:i], line[i:]
	}
	return routing.Request{Method: "GET", Host: host, Path: path, Client: netip.MustParseAddr("192.0.2.1")}
}
