package routing

import (
	"fmt"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// addAliases adds more names to hosts (server-alias). As in nginx, an alias covers the whole host:
// it includes the rules of all Ingresses for that host. A name with its own rules does not become
// an alias.
func (b *builder) addAliases() {
	owner := map[string]*virtualHost{}
	for _, ing := range b.aliased {
		hosts := ing.hosts()
		if len(hosts) == 0 || b.hosts[hosts[0]] == nil {
			continue
		}
		h := b.hosts[hosts[0]]
		for _, alias := range ing.policy.Rewrite.Aliases {
			name, wrong := ruleHost(alias)
			switch there := owner[name]; {
			case wrong.is():
				b.badAlias(ing, wrong)
			case name == "" || name == h.name:
			case b.hosts[name] != nil:
				b.badAlias(ing, Because(AliasHasRules, "alias", name, "host", hostText(h.name)))
			case there != nil && there != h:
				b.badAlias(ing, Because(AliasTaken, "alias", name, "host", hostText(there.name)))
			default:
				owner[name] = h
			}
		}
	}
	b.aliases = owner
}

func (b *builder) badAlias(ing *ingress, reason Reason) {
	b.found.add(ing.ref, annotationField("server-alias"), reason)
}

// addWWW adds a host for the counterpart of every host with from-to-www-redirect: "www.shop.test"
// for "shop.test", and the reverse. That host only redirects. A counterpart with rules, or one that
// is an alias, stays as it is.
func (b *builder) addWWW() {
	for _, ing := range b.fromToWWW {
		for _, name := range ing.hosts() {
			if name == "" || strings.HasPrefix(name, "*.") {
				continue
			}
			from, isWWW := strings.CutPrefix(name, "www.")
			if !isWWW {
				from = "www." + name
			}
			if b.hosts[from] != nil || b.aliases[from] != nil {
				continue
			}
			r := redirectOnly(ing, from, networkingv1.PathTypePrefix, "from-to-www-redirect", reasonWWW)
			r.redirectHost = name
			b.host(from).add(r)
		}
	}
}

// addAppRoots adds a rule for "/" where app-root redirects it and no Ingress has such a rule. Most
// Ingresses with app-root have rules only for the application, and nginx redirects them, too.
func (b *builder) addAppRoots() {
	for _, ing := range b.appRoots {
		for _, name := range ing.hosts() {
			if h := b.hosts[name]; h != nil && h.find("/", "/") == nil {
				h.add(redirectOnly(ing, name, networkingv1.PathTypeExact, "app-root", reasonAppRoot))
			}
		}
	}
}

// redirectOnly returns the route for "/" of an Ingress that has no such rule, but an annotation
// that redirects it.
func redirectOnly(ing *ingress, host string, pathType networkingv1.PathType, annotation, why string) *Route {
	return &Route{
		Ingress: ing.name, Field: annotationField(annotation), owner: ing.ref,
		Host: host, Path: "/", PathType: pathType, canonical: "/", why: why, Pool: &Pool{Reason: why},
		Policy: ing.policy, Timeouts: timeouts(ing.policy.Proxy), Blocked: ing.policy.Blocked,
	}
}

// annotationField returns the field of a Problem about an annotation.
func annotationField(name string) string {
	return fmt.Sprintf("metadata.annotations[%s%s]", annotations.Prefix, name)
}
