package routing

import (
	"maps"
	"regexp"
	"slices"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// ClientTLS gives the policy by which a client that asks for this name is asked for a certificate (auth-tls-*); nil: it
// is not. It is one policy a host, as ingress-nginx documents it: a handshake knows the host and no path. Of two Ingresses that
// want different ones, the older one's counts, and the other is closed; one that wants none gets that of its host.
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

// asksClients says whether options ask for certificates at all.
func asksClients(o annotations.ClientTLS) bool {
	return o.Secret != "" && o.Verify != annotations.VerifyOff
}

// claimHosts takes the hosts of an Ingress for its client verification, or closes the Ingress if an older one has another.
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
		b.lack(ing, p, annotations.Prefix+"auth-tls-secret", &lack{reason: Because(ClientTLSTaken, "host", hostText(host), "by", first.by.name.String())})
	}
}

// hostVerification is how the clients of a host are verified, and who says so.
type hostVerification struct {
	by     *ingress
	policy *Policy
}

func sameVerification(a, b annotations.ClientTLS) bool {
	return a.Secret == b.Secret && a.Verify == b.Verify && a.Depth == b.Depth && a.ErrorPage == b.ErrorPage && patternText(a.MatchCN) == patternText(b.MatchCN)
}

func patternText(p *regexp.Regexp) string {
	if p == nil {
		return ""
	}
	return p.String()
}

// spreadClientTLS makes all routes of a host verify clients, those of Ingresses that do not mention it included: the host is
// one, and somebody wants it closed to strangers.
func (b *builder) spreadClientTLS() {
	copies := map[[2]*Policy]*Policy{}
	for _, name := range slices.Sorted(maps.Keys(b.clientTLS)) {
		h, from := b.hosts[name], b.clientTLS[name].policy
		if h == nil {
			continue
		}
		for _, r := range h.routes() {
			if asksClients(r.Policy.ClientTLS) {
				continue // its own, which is the host's, or it is closed
			}
			key := [2]*Policy{r.Policy, from}
			if copies[key] == nil {
				with := *r.Policy
				with.ClientTLS, with.ClientCA = from.ClientTLS, from.ClientCA
				with.ClientTLS.PassCertificate = r.Policy.ClientTLS.PassCertificate || from.ClientTLS.PassCertificate
				if from.ClientCA == nil && with.Closed == "" {
					with.Closed = from.Closed
				}
				copies[key] = &with
			}
			r.Policy, r.Closed = copies[key], copies[key].Closed
		}
	}
}

// clientPolicies gives what the handshake needs.
func (b *builder) clientPolicies() map[string]*Policy {
	all := make(map[string]*Policy, len(b.clientTLS))
	for host, v := range b.clientTLS {
		all[host] = v.policy
	}
	return all
}
