package routing

import (
	"fmt"
	"strings"
)

// A path has many spellings, and backends disagree about which of them are the same. The proxy
// sends the path unchanged. If the controller read "/public/..%2fadmin" as a path below /public,
// and the backend read it as /admin, a client could bypass the authentication of /admin. Three
// rules prevent that:
//
//   - A canonical form selects the route (canonicalPath), so "/%61pp" is "/app" (RFC 3986 section
//     6.2.2).
//   - A path that no valid client sends, and that servers read differently, is refused: dot
//     segments, which clients remove before they send (RFC 3986 section 5.2.4), in any spelling;
//     NUL; backslashes; invalid escapes.
//   - A path that valid clients send, but that servers read differently, is refused only if one of
//     its readings matches another route (readings): an encoded slash, as in the APIs of GitLab and
//     RabbitMQ; matrix parameters, as in ";jsessionid=1"; empty elements, as in "//".

// These texts say why a path is refused. They contain no part of it, so they are safe to show.
const (
	refuseNoSlash   = "the path does not start with a slash"
	refuseByte      = "the path contains a character that must be escaped"
	refuseEscape    = "the path contains an invalid percent escape"
	refuseNUL       = "the path contains an encoded NUL"
	refuseDots      = "the path contains a dot segment"
	refuseAmbiguous = "the path can be read in two ways that match different rules"
)

// canonicalPath returns a request's path in the form that is compared with routes. It decodes every
// escape except those of the slash, which would become a separator, and of the percent sign, which
// would start a new escape. tricky is set if backends could read the path differently, so that
// Decide must compare readings.
func canonicalPath(raw string) (path string, tricky bool, refusal string) {
	if raw == "" {
		// RFC 9110 section 4.2.3: an empty path is the same as "/".
		return "/", false, ""
	}
	if raw[0] != '/' {
		return "", false, refuseNoSlash
	}
	if isPlain(raw) {
		return raw, false, ""
	}
	path, refusal = decode(raw)
	if refusal != "" {
		return "", false, refusal
	}
	if hasDotSegment(path) {
		return "", false, refuseDots
	}
	tricky = strings.ContainsAny(path, `;\%`) || strings.Contains(path, "//")
	return path, tricky, ""
}

// isPlain reports whether a path is its own canonical form, as nearly all are. It does not
// allocate.
func isPlain(raw string) bool {
	for i := range len(raw) {
		switch c := raw[i]; {
		case c <= ' ' || c == 0x7f || c == '%' || c == '\\' || c == '#' || c == ';':
			return false
		case c == '/' && i+1 < len(raw) && (raw[i+1] == '/' || raw[i+1] == '.'):
			return false
		}
	}
	return true
}

func decode(raw string) (path, refusal string) {
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c <= ' ' || c == 0x7f || c == '\\' || c == '#' {
			return "", refuseByte
		}
		if c != '%' {
			b.WriteByte(c)
			continue
		}
		if i+2 >= len(raw) {
			return "", refuseEscape
		}
		hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
		if hi > 15 || lo > 15 {
			return "", refuseEscape
		}
		i += 2
		switch c = hi<<4 | lo; c {
		case 0:
			return "", refuseNUL
		case '/':
			b.WriteString("%2F")
		case '%':
			b.WriteString("%25")
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// unhex returns the value of a hexadecimal digit, or 16.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

func hasDotSegment(path string) bool {
	return strings.Contains(path, "/./") || strings.Contains(path, "/../") ||
		strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..")
}

// habits are transformations that servers apply to a path. dropParameters is in the list twice:
// servlet containers remove parameters before they decode, and other servers remove them later.
var habits = [...]func(string) string{dropParameters, decodeSlashes, dropParameters, mergeSlashes}

// readings calls yield with every other reading of a canonical path: the results of each subset of
// the habits. It is an iterator.
func readings(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for subset := 1; subset < 1<<len(habits); subset++ {
			reading := path
			for i, habit := range habits {
				if subset&(1<<i) != 0 {
					reading = habit(reading)
				}
			}
			if !yield(reading) {
				return
			}
		}
	}
}

// dropParameters removes what follows a semicolon in each element.
func dropParameters(path string) string {
	if strings.IndexByte(path, ';') < 0 {
		return path
	}
	var b strings.Builder
	skip := false
	for i := range len(path) {
		switch path[i] {
		case ';':
			skip = true
		case '/':
			skip = false
		}
		if !skip {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}

// decodeSlashes turns encoded slashes, and the backslashes of Windows, into separators.
func decodeSlashes(path string) string {
	return strings.ReplaceAll(strings.ReplaceAll(path, "%2F", "/"), `\`, "/")
}

// decodePercent decodes percent signs, as every server does. It matters only for regular
// expressions, where a dot matches one character.
func decodePercent(path string) string { return strings.ReplaceAll(path, "%25", "%") }

func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// rulePath returns the canonical form of a rule path. It rejects paths that the Kubernetes API
// rejects for Exact and Prefix (k8s.io/kubernetes/pkg/apis/networking/validation), and paths that
// no request can have.
func rulePath(written string) (string, Reason) {
	if written == "" || written[0] != '/' {
		return "", Because(PathWithoutSlash, "path", written)
	}
	if isPlain(written) {
		return written, Reason{}
	}
	path, refusal := decode(escapeForRule(written))
	switch {
	case refusal != "":
		return "", Because(PathMalformed, "text", refusal)
	case strings.Contains(path, "//"):
		return "", Because(PathEmptyElement, "path", written)
	case strings.Contains(path, "%2F") || strings.Contains(path, `\`):
		return "", Because(PathEncodedSlash, "path", written)
	case hasDotSegment(path):
		return "", Because(PathDotSegment, "path", written)
	}
	return path, Reason{}
}

// escapeForRule escapes what a rule path can contain and a request path cannot. The API allows
// characters outside RFC 3986, so many people write "/a b" for "/a%20b". escapeForRule does not
// escape control characters, so they are rejected later.
func escapeForRule(written string) string {
	var b strings.Builder
	for i := range len(written) {
		switch c := written[i]; {
		case c == ' ' || c == '#' || c == '\\':
			fmt.Fprintf(&b, "%%%02X", c)
		case c == '%' && !startsEscape(written[i:]):
			b.WriteString("%25")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func startsEscape(s string) bool {
	return len(s) >= 3 && s[0] == '%' && unhex(s[1]) < 16 && unhex(s[2]) < 16
}

// looksLikeRegex guesses whether a path was meant as a regular expression or a glob. It searches
// only for text that real paths hardly ever contain.
func looksLikeRegex(path string) bool {
	if strings.ContainsAny(path, "*^|[") || strings.Contains(path, "(?") {
		return true
	}
	return strings.HasSuffix(path, "$") && !strings.HasSuffix(path, "/$")
}
