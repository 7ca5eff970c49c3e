package routing

import (
	"net/http"
	"strings"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// rewrite is a parsed rewrite-target. As in nginx's rewrite directive
// (https://nginx.org/en/docs/http/ngx_http_rewrite_module.html#rewrite), it replaces the whole
// path. Its query precedes the client's query, unless it ends with a question mark.
type rewrite struct {
	path, query annotations.Template
	// hasQuery is set if there is a question mark, dropQuery if it is the last character.
	hasQuery, dropQuery bool
}

// newRewrite parses a target. It returns nil if there is none.
func newRewrite(target annotations.Template) *rewrite {
	if target.IsZero() {
		return nil
	}
	path, query, found := strings.Cut(target.String(), "?")
	w := &rewrite{path: target, hasQuery: found, dropQuery: strings.HasSuffix(query, "?") || found && query == ""}
	if found {
		// There can be no error: the whole target is valid, so each half is, too.
		w.path, _ = annotations.ParseTemplate(path)
		w.query, _ = annotations.ParseTemplate(strings.TrimSuffix(query, "?"))
	}
	return w
}

// rewrites reports whether rewrite-target changes a path. A target equal to the path changes
// nothing, as in ingress-nginx: many Ingresses have the target "/" for the path "/" and serve a
// whole site.
func rewrites(p *Policy, written string) bool {
	return !p.Rewrite.Target.IsZero() && p.Rewrite.Target.String() != written
}

// rewritePath sets the path that the endpoint gets.
//
// The groups of the expression come from the canonical path with decoded escapes, so the result is
// escaped again: a "%3F" does not become the start of a query. Joined texts can also create a dot
// segment: "/app(.*)" with "/$1" turns "/app../etc" into "/../etc". Such a path is refused.
func (s *step) rewritePath() (done bool) {
	w := s.decision.Route.rewrite
	if w == nil {
		return false
	}
	value := Variables(*s.request, *s.decision)
	path := "/" + strings.TrimLeft(escape(w.path.Expand(value), pathByte), "/")
	if refusal := checkRewritten(path); refusal != "" {
		s.refuse(http.StatusBadRequest, "the rewritten path is refused: "+refusal)
		return true
	}
	if w.hasQuery {
		query := w.rewrittenQuery(value, s.request.Query)
		if query == "" {
			query = "?" // drops the client's query
		}
		path += query
	}
	s.decision.Path = path
	return false
}

// checkRewritten refuses a rewritten path if the same path from a client would be refused.
func checkRewritten(path string) (refusal string) {
	canonical, tricky, refusal := canonicalPath(path)
	if refusal != "" || !tricky {
		return refusal
	}
	for reading := range readings(canonical) {
		if hasDotSegment(reading) {
			return refuseDots
		}
	}
	return ""
}

// rewrittenQuery returns a question mark, the target's query, and the client's query. It returns ""
// if both queries are empty.
func (w *rewrite) rewrittenQuery(value func(string) string, client string) string {
	query := escape(w.query.Expand(func(name string) string { return escape(value(name), valueByte) }), queryByte)
	if client != "" && !w.dropQuery {
		if query != "" {
			query += "&"
		}
		query += client
	}
	if query == "" {
		return ""
	}
	return "?" + query
}

// escape escapes each byte that is not allowed (RFC 3986, section 2.1). Existing escapes stay.
func escape(s string, allowed func(byte) bool) string {
	const digits = "0123456789ABCDEF"
	clean := true
	for i := range len(s) {
		clean = clean && s[i] != '%' && allowed(s[i])
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if allowed(c) || c == '%' && startsEscape(s[i:]) {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}

// pathByte, queryByte, and valueByte accept the unescaped bytes of a path, a query, and a query
// value.
func pathByte(c byte) bool {
	return alphanumeric(c) || strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0
}

func queryByte(c byte) bool { return pathByte(c) || c == '?' }

func valueByte(c byte) bool {
	return alphanumeric(c) || strings.IndexByte("-._~!$'()*,:@/", c) >= 0
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// rewriteHost sets the Host header for the endpoint (upstream-vhost). It refuses the request if the
// result is not a valid host.
func (s *step) rewriteHost() (done bool) {
	vhost := &s.decision.Policy.Rewrite.VHost
	if vhost.IsZero() {
		return false
	}
	host := vhost.Expand(Variables(*s.request, *s.decision))
	if _, refusal := canonicalHost(host); refusal != "" {
		s.refuse(http.StatusBadRequest, "upstream-vhost does not give a valid host: "+refusal)
		return true
	}
	s.decision.Host = host
	return false
}
