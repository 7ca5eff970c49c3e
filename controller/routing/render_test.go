package routing_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// renderTable renders a table for goldens: a line for each host, and below it the routes in their
// order of precedence.
func renderTable(table *routing.Table) string {
	var b strings.Builder
	heading := ""
	for _, r := range table.Routes() {
		if h := headingOf(table, r); h != heading {
			heading = h
			fmt.Fprintln(&b, h)
		}
		fmt.Fprintf(&b, "  %s -> %s\n", matchOf(r), targetOf(r))
		for _, c := range r.Canaries {
			fmt.Fprintf(&b, "    canary %s -> %s\n", c.Ingress, poolText(c.Pool))
		}
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
	if r.Regex {
		return string(r.PathType) + " ~ " + r.Path
	}
	return string(r.PathType) + " " + r.Path
}

func targetOf(r *routing.Route) string {
	var b strings.Builder
	if r.Blocked != "" {
		b.WriteString("blocked: ")
	}
	b.WriteString(poolText(r.Pool))
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

func poolText(p *routing.Pool) string {
	if p.Service.Name == "" {
		return "nothing"
	}
	var b strings.Builder
	b.WriteString(p.Key())
	for _, e := range p.Endpoints {
		b.WriteString(" " + e.HostPort())
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
		fmt.Fprintf(&b, "%s -> %s\n", line, renderDecision(table.Decide(parseRequest(t, table, line))))
	}
	return b.String()
}

// renderDecision renders a Decision: the pool or the status, and then the other effects.
func renderDecision(d routing.Decision) string {
	var b strings.Builder
	switch d.Action {
	case routing.Forward:
		b.WriteString(d.Pool.Key())
	case routing.Redirect:
		fmt.Fprintf(&b, "%d %s", d.Status, d.Location)
	case routing.Preflight:
		fmt.Fprintf(&b, "%d preflight", d.Status)
	default:
		fmt.Fprintf(&b, "%d %s", d.Status, d.Reason)
	}
	for _, extra := range []struct {
		on   bool
		text string
	}{
		{d.Canary, "canary=" + d.CanaryOf.String()},
		{d.Unavailable != 0, fmt.Sprintf("instead-of=%d", d.Unavailable)},
		{d.Path != "", "path=" + d.Path},
		{d.Host != "", "host=" + d.Host},
		{d.HashKey != "", "hash=" + d.HashKey},
		{d.Sticky && d.Endpoint == nil, "new-session"},
		{d.Endpoint != nil, "session=" + addressOf(d.Endpoint)},
		{d.AllowOrigin != "", "origin=" + d.AllowOrigin},
		{d.ClientTLS, "client-certificate"},
		{d.BasicAuth, "password"},
		{d.ExternalAuth, "external-auth"},
		{d.Limit, "limits"},
	} {
		if extra.on {
			b.WriteString("  " + extra.text)
		}
	}
	return b.String()
}

func addressOf(e *routing.Endpoint) string {
	if e == nil {
		return ""
	}
	return e.HostPort()
}

// renderExplain renders each request of a section, with its candidates indented.
func renderExplain(t testing.TB, table *routing.Table, section string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, " ") {
			continue
		}
		request, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " -> ")
		decision, candidates := table.Explain(parseRequest(t, table, request))
		fmt.Fprintf(&b, "%s -> %s\n", request, renderDecision(decision))
		for _, c := range candidates {
			mark := "-"
			if c.Won {
				mark = "+"
			}
			if c.Canary != nil {
				fmt.Fprintf(&b, "    %s canary %s: %s\n", mark, c.Canary.Ingress, c.Why)
				continue
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

// parseRequest reads "METHOD scheme://host/path?query  Header: value  random=0.5
// client=192.0.2.1". Only the host is required, and two spaces separate the fields.
// session=address becomes the affinity cookie of that endpoint.
func parseRequest(t testing.TB, table *routing.Table, line string) routing.Request {
	t.Helper()
	parts := strings.Split(line, "  ")
	r := routing.Request{Method: "GET", Protocol: "HTTP/1.1", Header: http.Header{}, Client: netip.MustParseAddr("192.0.2.1"), ID: "4711"}
	target := parts[0]
	if method, rest, ok := strings.Cut(target, " "); ok && method != "" && method == strings.ToUpper(method) && !strings.ContainsAny(method,
		"./:") {
		r.Method, target = method, rest
	}
	target, r.TLS = strings.CutPrefix(target, "https://")
	target = strings.TrimPrefix(target, "http://")
	r.Host = target
	if i := strings.IndexByte(target, '/'); i >= 0 {
		r.Host = target[:i]
		r.Path, r.Query, _ = strings.Cut(target[i:], "?")
	}
	for _, part := range parts[1:] {
		if name, value, ok := strings.Cut(part, ": "); ok {
			r.Header.Add(name, value)
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		var err error
		switch name {
		case "random":
			r.Random, err = strconv.ParseFloat(value, 64)
		case "client":
			r.Client, err = netip.ParseAddr(value)
		case "session":
			r.Header.Add("Cookie", "INGRESSCOOKIE="+idOf(t, table, value))
		default:
			t.Fatalf("%s: %q is no part of a request", line, part)
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return r
}

// idOf returns the ID of the endpoint with an address.
func idOf(t testing.TB, table *routing.Table, address string) string {
	t.Helper()
	for _, pool := range table.Pools() {
		for _, e := range pool.Endpoints {
			if e.Address.String() == address && e.ID != "" {
				return e.ID
			}
		}
	}
	return "stale"
}
