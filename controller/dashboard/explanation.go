package dashboard

import (
	"fmt"
	"strings"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// Explanation says how the controller would route a request, and why.
type Explanation struct {
	Request Request `json:"request"`
	// Action is "forward", "redirect", "refuse" or "preflight".
	Action string `json:"action"`
	// Status is the status of the response if no endpoint serves the request: a refusal, a
	// redirect, or a preflight.
	Status int `json:"status,omitempty"`
	// Location is the target of a redirect.
	Location string `json:"location,omitempty"`
	// Reason says in one sentence why the controller decides this way.
	Reason string `json:"reason"`
	// Service is the Service port that would receive the request.
	Service string `json:"service,omitempty"`
	// Endpoints are the addresses of its pool.
	Endpoints []string `json:"endpoints,omitempty"`
	// Steps are what the proxy would do with the request, in order.
	Steps      []Feature   `json:"steps"`
	Candidates []Candidate `json:"candidates"`
}

// Candidate is a rule that the controller considered. At most one rule wins, and at most one of its
// canaries.
type Candidate struct {
	Ingress  string `json:"ingress,omitempty"`
	Field    string `json:"field,omitempty"`
	Host     string `json:"host,omitempty"`
	Path     string `json:"path,omitempty"`
	PathType string `json:"pathType,omitempty"`
	Service  string `json:"service,omitempty"`
	// Canary is set for a canary of the rule that won.
	Canary bool `json:"canary,omitempty"`
	Won    bool `json:"won"`
	// Why says why the candidate won or lost. It is the sentence of Cause and Args (routing.Cause).
	Why   string            `json:"why"`
	Cause string            `json:"cause"`
	Args  map[string]string `json:"args,omitempty"`
}

// explain returns what the table would do with a request.
func (s Source) explain(q Request) (*Explanation, error) {
	request, err := q.parse()
	if err != nil {
		return nil, err
	}
	decision, candidates := s.Table().Explain(request)
	result := &Explanation{
		Request: q, Action: actions[decision.Action], Status: decision.Status, Location: decision.Location,
		Reason: decision.Reason, Steps: steps(decision), Candidates: []Candidate{},
	}
	if decision.Pool != nil {
		result.Service = decision.Pool.Key()
		for _, endpoint := range decision.Pool.Endpoints {
			result.Endpoints = append(result.Endpoints, endpoint.HostPort())
		}
	}
	for _, c := range candidates {
		result.Candidates = append(result.Candidates, candidateView(c))
	}
	return result, nil
}

var actions = map[routing.Action]string{
	routing.Refuse: "refuse", routing.Forward: "forward", routing.Redirect: "redirect", routing.Preflight: "preflight",
}

// steps returns what the proxy would do with a Decision, in this order: checks that can end the
// request, changes, and the selection of an endpoint.
func steps(d routing.Decision) []Feature {
	list := featureList{}
	if d.Policy != nil {
		p := d.Policy
		if d.ClientTLS {
			list.add("request a client certificate", clientTLS(p.ClientTLS)...)
		}
		list.add("allow origin", d.AllowOrigin)
		if d.Limit {
			list.add("count against limits", limits(p.Limits)...)
		}
		list.add("require a password", when(d.BasicAuth, "of Secret "+p.Auth.Secret))
		list.add("ask the external service", when(d.ExternalAuth, p.Auth.URL.String()),
			when(d.ExternalAuth && d.BasicAuth && p.Auth.Any, "one of the two is enough"))
		list.add("copy", when(d.Action == routing.Forward, p.Mirror.Target.String()))
	}
	list.add("serve", when(d.Canary, "canary "+d.CanaryOf.String()),
		when(d.Unavailable != 0, fmt.Sprintf("error page for %d", d.Unavailable)))
	list.add("send path", d.Path)
	list.add("send host", d.Host)
	if d.Pool != nil {
		list.add("choose endpoint", choice(d))
		list.add("wait at most", waits(d.Timeouts))
	}
	return list
}

// choice describes how the proxy selects an endpoint.
func choice(d routing.Decision) string {
	switch {
	case d.Sticky && d.Endpoint != nil:
		return d.Endpoint.HostPort() + ", from the cookie"
	case d.HashKey != "":
		return fmt.Sprintf("by hash of %q", d.HashKey)
	}
	by := map[annotations.LoadBalance]string{
		annotations.RoundRobin: "round robin", annotations.EWMA: "the quicker of two", annotations.LeastConn: "fewest requests in flight",
	}
	text := by[annotations.RoundRobin]
	if d.Policy != nil {
		text = by[d.Policy.Backend.LoadBalance]
	}
	if d.Sticky {
		text += ", and set a cookie"
	}
	return text
}

func waits(t routing.Timeouts) string {
	return fmt.Sprintf("connect %s, read %s, send %s", t.Connect, t.Read, t.Send)
}

func candidateView(c routing.Candidate) Candidate {
	view := Candidate{Won: c.Won, Why: c.Why.String(), Cause: c.Why.Cause.String(), Args: c.Why.Args()}
	if c.Route == nil {
		return view
	}
	ingress, pool := c.Route.Ingress, c.Route.Pool
	view.Field, view.Host, view.Path, view.PathType = c.Route.Field, c.Route.Host, c.Route.Path, string(c.Route.PathType)
	if c.Canary != nil {
		ingress, pool = c.Canary.Ingress, c.Canary.Pool
		view.Field, view.Canary = c.Canary.Field, true
	}
	if ingress.Name != "" {
		view.Ingress = ingress.String()
	}
	if pool.Service.Name != "" {
		view.Service = pool.Key()
	}
	return view
}

// Outcome is a summary of the decision: "forward to shop/web:80", "redirect 308 to
// https://shop.test/".
func (e *Explanation) Outcome() string {
	switch e.Action {
	case "forward":
		return "forward to " + e.Service
	case "redirect":
		return fmt.Sprintf("redirect %d to %s", e.Status, e.Location)
	case "preflight":
		return fmt.Sprintf("answer the preflight with %d", e.Status)
	}
	return fmt.Sprintf("refuse with %d", e.Status)
}

// Text returns the explanation for a terminal.
func (e *Explanation) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s\n", e.Request.Method, e.Request.URL, e.Outcome())
	fmt.Fprintf(&b, "  because %s\n", e.Reason)
	if len(e.Endpoints) > 0 {
		fmt.Fprintf(&b, "  endpoints: %s\n", strings.Join(e.Endpoints, " "))
	}
	for _, step := range e.Steps {
		fmt.Fprintf(&b, "  %s: %s\n", step.Name, step.Value)
	}
	if len(e.Candidates) == 0 {
		return b.String()
	}
	b.WriteString("\nThe rules that were considered:\n")
	for _, c := range e.Candidates {
		mark := "-"
		if c.Won {
			mark = "✓"
		}
		fmt.Fprintf(&b, "  %s %s\n      %s\n", mark, c.rule(), c.Why)
	}
	return b.String()
}

// rule describes a candidate in one line: "shop.test Prefix /app of Ingress shop/web,
// spec.rules[0].http.paths[0]".
func (c Candidate) rule() string {
	host := c.Host
	if host == "" {
		host = "any host"
	}
	what := "default backend"
	if c.PathType != "" {
		what = c.PathType + " " + c.Path
	}
	text := host + ", " + what
	if c.Canary {
		text = "canary of " + text
	}
	if c.Service != "" {
		text += " -> " + c.Service
	}
	if c.Ingress != "" {
		return text + " (Ingress " + c.Ingress + ", " + c.Field + ")"
	}
	return text + " (" + c.Field + ")"
}
