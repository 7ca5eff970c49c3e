package proxy

import (
	"crypto/sha256"
	"net/http"
	"strings"
)

const (
	// authMemory is how many answers of external auth services are kept, and authMemoryEach how large the header of one may be, in
	// bytes: 16 MiB in all.
	authMemory, authMemoryEach = 4096, 4 << 10
)

// authKey is a digest of what an answer may depend on: the author's auth-cache-key, and which question it is. As in nginx
// only GET and HEAD requests share answers. The parts are kept apart by a byte that none of them has.
func (x *exchange) authKey(question string) (key [sha256.Size]byte, cached bool) {
	auth := &x.decision.Policy.Auth
	if auth.CacheKey.IsZero() || x.request.Method != http.MethodGet && x.request.Method != http.MethodHead {
		return key, false
	}
	route := x.decision.Route
	parts := []string{route.Ingress.String(), route.Field, x.variable("host"), auth.Method, question, x.expand(auth.CacheKey)}
	return sha256.Sum256([]byte(strings.Join(parts, "\x00"))), true
}

// mayBeKept reports whether an answer is meant for more than one request (RFC 9111, 3). A cookie is not; neither is an answer
// that depends on a header which auth-cache-key need not hold.
func (a *authAnswer) mayBeKept() bool {
	if len(a.header["Set-Cookie"]) > 0 {
		return false
	}
	for _, line := range a.header["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			switch name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "="); {
			case name == "no-store", name == "no-cache", name == "private", name == "max-age" && value == "0":
				return false
			}
		}
	}
	for _, line := range a.header["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if !strings.EqualFold(strings.TrimSpace(name), "Accept-Encoding") {
				return false
			}
		}
	}
	size := 0
	for name, values := range a.header {
		size += len(name)
		for _, value := range values {
			size += len(value)
		}
	}
	return size <= authMemoryEach
}
