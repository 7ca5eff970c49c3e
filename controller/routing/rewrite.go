package routing

import (
	"net/http"
	"strings"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// rewrite is a rewrite-target, taken apart. As nginx's directive rewrite has it
// (https://nginx.org/en/docs/http/ngx_http_rewrite_module.html#rewrite), the text replaces the whole path, and a query in
// it comes before the client's own, unless it ends in a question mark.
type rewrite struct {
	path, query annotations.Template
	// hasQuery is set when there is a question mark, dropQuery when it is the last character.
	hasQuery, dropQuery bool
}

// newRewrite takes a target apart; nil: there is none.
func newRewrite(target annotations.Template) *rewrite {
	if target.IsZero() {
		return nil
	}
	path, query, found := strings.Cut(target.String(), "?")
	w := &rewrite{path: target, hasQuery: found, dropQuery: strings.HasSuffix(query, "?") || found && query == ""}
	if found {
		// Neither half can be worse than the whole, which was read without an error.
		w.path, _ = annotations.ParseTemplate(path)
		w.query, _ = annotations.ParseTemplate(strings.TrimSuffix(query, "?"))
	}
	return w
}

// rewrites says whether rewrite-target means anything for a path. A target that is the path itself means that nothing changes, as
// in ingress-nginx: many Ingresses have the target "/" on the path "/" and serve a whole site.
func rewrites(p *Policy, written string) bool {
	return !p.Rewrite.Target.IsZero() && p.Rewrite.Target.String() != written
}

// rewritePath sets what the endpoint gets to see in the place of the path.
//
// The groups of the expression come from the canonical path, in which escapes are decoded, so what the endpoint gets is
// escaped again: a "%3F" that came in does not go out as the beginning of a query. And joining texts can make what
// neither of them was: "/app(.*)" with "/$1" turns "/app../etc" into "/../etc". Such a path is refused.
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
			query = "?" // says that the client's own is not wanted
		}
		path += query
	}
	s.decision.Path = path
	return false
}

// checkRewritten holds a rewritten path to the rules for one that a client sends.
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

// rewrittenQuery is the query of the target and then the client's, with the question mark; empty when both are.
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

// escape replaces each byte that is not allowed by its escape (RFC 3986, section 2.1). Escapes that are there already stay.
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

// pathByte, queryByte and valueByte are the bytes that may stand as they are in a path, a query, and a value in a query.
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
