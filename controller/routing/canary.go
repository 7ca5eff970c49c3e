package routing

import (
	"fmt"
	"math/big"
	"net/http"

	networkingv1 "k8s.io/api/networking/v1"
)

// criterion is a way to select a canary. Criteria are evaluated in the order of the constants.
type criterion int

const (
	byAffinity criterion = iota
	byHeader
	byCookie
	byWeight
	byNeed // the rule's own pool has no endpoint
	causes
)

// choice is the pool that serves a request, with the criterion that selected it.
type choice struct {
	pool *Pool
	// canary is nil when the pool is the rule's own.
	canary *Canary
	cause  criterion
	// endpoint is the one in the client's affinity cookie. It is nil if the cookie contains no
	// endpoint of the pool.
	endpoint *Endpoint
}

// choose selects the rule's own pool or that of a canary:
//
//  1. If the client's affinity cookie names a pod of one of them, that pool stays (unless affinity-canary-behavior is legacy).
//  2. A header with "always", or with the configured value, selects its canary; "never" excludes it.
//  3. A cookie with "always" selects its canary; "never" excludes it.
//  4. The random value: each canary has a part of [0,1) of the size weight/weight-total, one after the other. The rest, and
//     the parts of excluded canaries, belong to the rule's own pool.
//
// Each criterion is evaluated for all canaries, the oldest first, before the next one. If the
// selected pool has no endpoints, a pool with endpoints replaces it.
func (r *Route) choose(request *Request) choice {
	affinity := &r.Policy.Affinity
	if affinity.Enabled && !r.leavesCanary {
		if c, ok := r.chooseByAffinity(request.Header); ok {
			return c
		}
	}
	c := r.chooseCanary(request)
	if affinity.Enabled && r.leavesCanary {
		c.endpoint = c.pool.named(request.Header, affinity.Cookie.Name)
	}
	return c
}

func (r *Route) chooseByAffinity(h http.Header) (choice, bool) {
	name := r.Policy.Affinity.Cookie.Name
	if e := r.Pool.named(h, name); e != nil {
		return choice{pool: r.Pool, endpoint: e}, true
	}
	for _, c := range r.Canaries {
		if e := c.Pool.named(h, name); e != nil {
			return choice{pool: c.Pool, canary: c, cause: byAffinity, endpoint: e}, true
		}
	}
	return choice{}, false
}

// chooseCanary evaluates the header, the cookie, and the weight. A pool whose pods are all
// terminating counts as empty, so that you can delete or promote a canary without a failed request.
func (r *Route) chooseCanary(request *Request) choice {
	for _, question := range [...]criterion{byHeader, byCookie, byWeight} {
		for _, c := range r.Canaries {
			if c.ask(question, request) == yes && !c.ruledOut(question, request) && c.Pool.ready() {
				return choice{pool: c.Pool, canary: c, cause: question}
			}
		}
	}
	if !r.Pool.ready() {
		for _, c := range r.Canaries {
			if c.Pool.ready() || len(r.Pool.Endpoints) == 0 && len(c.Pool.Endpoints) > 0 {
				return choice{pool: c.Pool, canary: c, cause: byNeed}
			}
		}
	}
	return choice{pool: r.Pool}
}

// vote is the result of one criterion for a canary.
type vote int

const (
	abstains vote = iota
	yes
	no
)

// ask evaluates one criterion.
func (c *Canary) ask(question criterion, r *Request) vote {
	switch question {
	case byHeader:
		return c.askHeader(r)
	case byCookie:
		return c.askCookie(r)
	case byWeight:
		return yesIf(c.from <= r.Random && r.Random < c.to)
	}
	return abstains
}

// ruledOut reports whether an earlier criterion excludes the canary.
func (c *Canary) ruledOut(question criterion, r *Request) bool {
	for earlier := byHeader; earlier < question; earlier++ {
		if c.ask(earlier, r) == no {
			return true
		}
	}
	return false
}

func (c *Canary) askHeader(r *Request) vote {
	values := r.Header[c.header]
	if c.header == "" || len(values) == 0 {
		return abstains
	}
	switch value := values[0]; {
	case c.Options.Value != "":
		return yesIf(value == c.Options.Value)
	case c.Options.Pattern != nil:
		return yesIf(c.Options.Pattern.MatchString(value))
	default:
		return alwaysOrNever(value)
	}
}

func (c *Canary) askCookie(r *Request) vote {
	if c.Options.Cookie == "" {
		return abstains
	}
	return alwaysOrNever(firstCookie(r.Header, c.Options.Cookie))
}

func yesIf(b bool) vote {
	if b {
		return yes
	}
	return abstains
}

func alwaysOrNever(value string) vote {
	switch value {
	case "always":
		return yes
	case "never":
		return no
	}
	return abstains
}

// addCanaries attaches canaries to the routes that they refine. It runs after all rules are added,
// because a canary can be older than its main Ingress.
func (b *builder) addCanaries() {
	for _, ing := range b.canaries {
		for i := range ing.Spec.Rules {
			b.addCanaryRule(ing, i)
		}
		b.addCanaryDefault(ing)
	}
	for _, r := range b.withCanaries {
		assignShares(r.Canaries)
	}
}

func (b *builder) addCanaryRule(ing *ingress, i int) {
	rule, field := &ing.Spec.Rules[i], fmt.Sprintf("spec.rules[%d]", i)
	name, wrong := ruleHost(rule.Host)
	if wrong.is() {
		b.found.add(ing.ref, field+".host", wrong)
		return
	}
	if rule.HTTP == nil {
		return
	}
	for j := range rule.HTTP.Paths {
		p := &rule.HTTP.Paths[j]
		written, pathType := pathOf(p)
		b.attach(ing, b.hosts[name].ruleFor(written, pathType), &p.Backend, place{
			field: fmt.Sprintf("%s.http.paths[%d]", field, j), below: ".backend", host: name, what: fmt.Sprintf("%s %s of %s", pathType, written,
				hostText(name)),
		})
	}
}

func (b *builder) addCanaryDefault(ing *ingress) {
	backend, field := ing.Spec.DefaultBackend, "spec.defaultBackend"
	if backend == nil {
		return
	}
	if len(ing.Spec.Rules) == 0 {
		b.attach(ing, b.catchAll, backend, place{field: field, what: "the catch-all"})
		return
	}
	for _, name := range ing.hosts() {
		var main *Route
		if h := b.hosts[name]; h != nil {
			main = h.fallback
		}
		b.attach(ing, main, backend, place{field: field, host: name, what: "the default backend of " + hostText(name)})
	}
}

// place says where a canary's backend is (field, below), and which rule it refines (host, what).
type place struct{ field, below, host, what string }

// attach makes a backend a canary of a route.
func (b *builder) attach(ing *ingress, main *Route, backend *networkingv1.IngressBackend, at place) {
	if main == nil {
		cause := CanaryPathUnknown
		if h := b.hosts[at.host]; h == nil || len(h.routes()) == 0 {
			cause = CanaryHostUnknown
		}
		b.found.add(ing.ref, at.field, Because(cause, "rule", at.what, "host", at.host))
		return
	}
	for _, c := range main.Canaries {
		if c.Ingress == ing.name {
			b.found.add(ing.ref, at.field, Because(CanaryTwice, "by", c.Field, "rule", at.what))
			return
		}
	}
	c := &Canary{
		Ingress: ing.name, Field: at.field, Options: ing.policy.Canary, Pool: b.pool(ing, backend, at.field+at.below),
		Backend: ing.policy.Backend,
		header:  http.CanonicalHeaderKey(ing.policy.Canary.Header),
	}
	c.explainChoices()
	if len(main.Canaries) == 0 {
		b.withCanaries = append(b.withCanaries, main)
	}
	main.Canaries = append(main.Canaries, c)
	// Users set the annotation on the main Ingress or on the canary.
	main.leavesCanary = main.leavesCanary || main.Policy.Affinity.LeaveCanary || ing.policy.Affinity.LeaveCanary
}

// explainChoices renders the Reasons once, because rendering them for each request would allocate.
func (c *Canary) explainChoices() {
	o, name := &c.Options, c.Ingress.String()
	c.why = [causes]string{
		byAffinity: fmt.Sprintf("the client's affinity cookie names a pod of canary %s", name),
		byHeader:   fmt.Sprintf("header %s chooses canary %s", o.Header, name),
		byCookie:   fmt.Sprintf("cookie %s chooses canary %s", o.Cookie, name),
		byWeight:   fmt.Sprintf("the random value falls to canary %s, which has weight %d of %d", name, o.Weight, o.WeightTotal),
		byNeed:     fmt.Sprintf("the rule's own pool has no endpoint, and canary %s has one", name),
	}
}

// assignShares assigns each canary its part of [0,1). The sums are exact: with floating-point
// tenths, the third of three equal canaries would start slightly too late.
func assignShares(canaries []*Canary) {
	one, sum := big.NewRat(1, 1), new(big.Rat)
	for _, c := range canaries {
		c.from, _ = sum.Float64()
		if total := c.Options.WeightTotal; total > 0 {
			sum.Add(sum, big.NewRat(int64(c.Options.Weight), int64(total)))
		}
		if sum.Cmp(one) > 0 {
			sum.Set(one)
		}
		c.to, _ = sum.Float64()
	}
}
