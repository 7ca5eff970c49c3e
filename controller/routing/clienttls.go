package routing

import (
	"maps"
	"regexp"
	"slices"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// ClientTLS returns the policy that verifies client certificates for a server name (auth-tls-*), or
// nil if the controller requests none. As in ingress-nginx, each host has one policy, because a
// handshake has a host and no path. If two Ingresses set different policies, the policy of the
// older one applies, and the routes of the other are blocked. An Ingress without these annotations
// gets the policy of its host.
func (t *Table) ClientTLS(serverName string) *Policy {
	if t == nil || len(t.clientTLS) == 0 {
		return nil
	}
	name, refusal := canonicalHost(serverName)
	if refusal != "" {
		name = ""
	}
	policy := t.clientTLS[""]
	if h := t.hostOf(name); h != nil {
		policy = t.clientTLS[h.name]
	}
	if policy == nil || policy.ClientCA == nil {
		return nil
	}
	return policy
}

// asksClients reports whether options request client certificates.
func asksClients(o annotations.ClientTLS) bool {
	return o.Secret != "" && o.Verify != annotations.VerifyOff
}

// claimHosts sets the client verification of the hosts, or blocks the routes of the Ingress if an
// older Ingress sets a different one.
func (b *builder) claimHosts(ing *ingress) {
	p := ing.policy
	if !asksClients(p.ClientTLS) {
		return
	}
	for _, host := range ing.hosts() {
		first := b.clientTLS[host]
		if first == nil {
			b.clientTLS[host] = &hostVerification{by: ing, policy: p}
			continue
		}
		if first.by.Namespace == ing.Namespace && sameVerification(first.policy.ClientTLS, p.ClientTLS) {
			continue
		}
		b.lack(ing, p, annotations.Prefix+"auth-tls-secret", &lack{reason: Because(ClientTLSTaken, "host", hostText(host), "by",
			first.by.name.String())})
	}
}

// hostVerification is the client verification of a host, with the Ingress that sets it.
type hostVerification struct {
	by     *ingress
	policy *Policy
}

func sameVerification(a, b annotations.ClientTLS) bool {
	return a.Secret == b.Secret && a.Verify == b.Verify && a.Depth == b.Depth && a.ErrorPage == b.ErrorPage &&
		patternText(a.MatchCN) == patternText(b.MatchCN)
}

func patternText(p *regexp.Regexp) string {
	if p == nil {
		return ""
	}
	return p.String()
}

// spreadClientTLS makes all routes of a host verify clients, even those of Ingresses without these
// annotations, because one Ingress restricts the whole host.
func (b *builder) spreadClientTLS() {
	copies := map[[2]*Policy]*Policy{}
	for _, name := range slices.Sorted(maps.Keys(b.clientTLS)) {
		h, from := b.hosts[name], b.clientTLS[name].policy
		if h == nil {
			continue
		}
		for _, r := range h.routes() {
			if asksClients(r.Policy.ClientTLS) {
				continue // it has the policy of the host, or is blocked
			}
			key := [2]*Policy{r.Policy, from}
			if copies[key] == nil {
				with := *r.Policy
				with.ClientTLS, with.ClientCA = from.ClientTLS, from.ClientCA
				with.ClientTLS.PassCertificate = r.Policy.ClientTLS.PassCertificate || from.ClientTLS.PassCertificate
				if from.ClientCA == nil && with.Blocked == "" {
					with.Blocked = from.Blocked
				}
				copies[key] = &with
			}
			r.Policy, r.Blocked = copies[key], copies[key].Blocked
		}
	}
}

// clientPolicies returns the policies for handshakes, by host.
func (b *builder) clientPolicies() map[string]*Policy {
	all := make(map[string]*Policy, len(b.clientTLS))
	for host, v := range b.clientTLS {
		all[host] = v.policy
	}
	return all
}
