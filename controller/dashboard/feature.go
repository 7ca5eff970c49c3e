package dashboard

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// Feature is a summary of one option of an Ingress, such as "rewrite" and "/$2".
type Feature struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// featureList collects features that are not empty.
type featureList []Feature

func (l *featureList) add(name string, values ...string) {
	if text := joined(values); text != "" {
		*l = append(*l, Feature{name, text})
	}
}

// joined joins the values that are not empty with commas.
func joined(values []string) string {
	var parts []string
	for _, value := range values {
		if value != "" {
			parts = append(parts, value)
		}
	}
	return strings.Join(parts, ", ")
}

// when returns text if the condition is true, and nothing otherwise.
func when(condition bool, text string) string {
	if condition {
		return text
	}
	return ""
}

// features summarizes a policy in the order in which the proxy applies it. It skips redirects to
// HTTPS that have no effect, and limits with their default values.
func features(p *routing.Policy, defaults annotations.Options, certificate bool) []Feature {
	list := featureList{}
	list.add("client certificate", clientTLS(p.ClientTLS)...)
	list.add("redirect", redirects(p.Redirects, certificate)...)
	list.add("allow", prefixes(p.Access.Allow))
	list.add("deny", prefixes(p.Access.Deny))
	if p.CORS.Enabled {
		list.add("CORS", p.CORS.Origins...)
	}
	list.add("limit", limits(p.Limits)...)
	list.add("auth", auth(p.Auth)...)
	list.add("mirror", p.Mirror.Target.String())
	list.add("rewrite", rewrites(p.Rewrite)...)
	list.add("body", when(p.Proxy.BodySize != defaults.Proxy.BodySize, bytesText(p.Proxy.BodySize)))
	list.add("time-outs", timeouts(p.Proxy, defaults.Proxy)...)
	list.add("balance", balance(p.Options)...)
	list.add("protocol", when(p.Backend.Protocol != annotations.HTTP, protocolText(p.Backend.Protocol)),
		when(p.Backend.Protocol.TLS() && p.Backend.TLS.Verify, "verified"))
	list.add("error pages", errorPages(p.Errors)...)
	list.add("headers", when(len(p.ResponseHeaders) > 0, strconv.Itoa(len(p.ResponseHeaders))+" added"))
	return list
}

func clientTLS(c annotations.ClientTLS) []string {
	if c.Secret == "" {
		return nil
	}
	words := map[annotations.ClientVerify]string{
		annotations.VerifyOn: "required", annotations.VerifyOptional: "optional",
		annotations.VerifyOptionalNoCA: "optional, any CA", annotations.VerifyOff: "off",
	}
	return []string{words[c.Verify], "CA of " + c.Secret}
}

func redirects(r annotations.Redirects, certificate bool) []string {
	return []string{
		when(!r.Permanent.IsZero(), fmt.Sprintf("%d to %s", r.PermanentCode, r.Permanent)),
		when(!r.Temporal.IsZero(), fmt.Sprintf("%d to %s", r.TemporalCode, r.Temporal)),
		when(r.AppRoot != "", "/ to "+r.AppRoot),
		when(r.FromToWWW, "www"),
		when(r.ForceSSL || r.SSL && certificate, "to HTTPS"),
	}
}

// prefixes returns a text with the first few ranges of a list.
func prefixes(list []netip.Prefix) string {
	const shown = 3
	if list == nil {
		return ""
	}
	if len(list) == 0 {
		return "no address"
	}
	var parts []string
	for _, prefix := range list[:min(shown, len(list))] {
		parts = append(parts, prefix.String())
	}
	text := joined(parts)
	if more := len(list) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func limits(l annotations.Limits) []string {
	return []string{
		when(l.RPS > 0, fmt.Sprintf("%d/s", l.RPS)),
		when(l.RPM > 0, fmt.Sprintf("%d/min", l.RPM)),
		when(l.Connections > 0, fmt.Sprintf("%d at once", l.Connections)),
		when(l.Rate > 0, bytesText(l.Rate)+"/s"),
	}
}

func auth(a annotations.Auth) []string {
	return []string{
		when(a.Basic, "password from "+a.Secret),
		when(!a.URL.IsZero(), a.URL.String()),
		when(a.Any, "any of them is enough"),
	}
}

func rewrites(r annotations.Rewrite) []string {
	return []string{
		when(!r.Target.IsZero(), "path "+r.Target.String()),
		when(r.Regex && r.Target.IsZero(), "path is a regular expression"),
		when(!r.VHost.IsZero(), "host "+r.VHost.String()),
		when(!r.ForwardedPrefix.IsZero(), "prefix "+r.ForwardedPrefix.String()),
	}
}

func timeouts(p, defaults annotations.Proxy) []string {
	differs := func(name string, value, otherwise time.Duration) string {
		return when(value != otherwise, name+" "+value.String())
	}
	return []string{
		differs("connect", p.ConnectTimeout, defaults.ConnectTimeout),
		differs("read", p.ReadTimeout, defaults.ReadTimeout),
		differs("send", p.SendTimeout, defaults.SendTimeout),
	}
}

func balance(o annotations.Options) []string {
	return []string{
		when(o.Affinity.Enabled, when(o.Affinity.Persistent, "persistent ")+"cookie "+o.Affinity.Cookie.Name),
		when(!o.Backend.HashBy.IsZero(), "by hash of "+o.Backend.HashBy.String()),
		when(o.Backend.LoadBalance == annotations.EWMA, "ewma"),
		when(o.Backend.LoadBalance == annotations.LeastConn, "least_conn"),
		when(o.Backend.ServiceUpstream, "cluster IP"),
	}
}

func protocolText(p annotations.Protocol) string {
	return map[annotations.Protocol]string{
		annotations.HTTP: "HTTP", annotations.HTTPS: "HTTPS", annotations.GRPC: "GRPC", annotations.GRPCS: "GRPCS",
	}[p]
}

func errorPages(e annotations.Errors) []string {
	var codes []string
	for _, code := range e.Codes {
		codes = append(codes, strconv.Itoa(code))
	}
	return []string{joined(codes), when(e.Service != "", "by "+e.Service)}
}

// bytesText formats a size as annotations do: "8m".
func bytesText(n int64) string {
	switch {
	case n == 0:
		return "any size"
	case n%(1<<30) == 0:
		return fmt.Sprintf("%dg", n>>30)
	case n%(1<<20) == 0:
		return fmt.Sprintf("%dm", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%dk", n>>10)
	}
	return strconv.FormatInt(n, 10)
}
