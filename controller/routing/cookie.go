package routing

import (
	"net/http"
	"strings"
)

// cookies calls yield with the value of every cookie of that name, in the order of the request (RFC
// 6265, section 5.4: the one with the longest path comes first). It is an iterator.
func cookies(h http.Header, name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, line := range h["Cookie"] {
			for line != "" {
				var pair string
				pair, line, _ = strings.Cut(line, ";")
				key, value, found := strings.Cut(pair, "=")
				if !found || strings.TrimSpace(key) != name {
					continue
				}
				if !yield(strings.Trim(strings.TrimSpace(value), `"`)) {
					return
				}
			}
		}
	}
}

func firstCookie(h http.Header, name string) string {
	for value := range cookies(h, name) {
		return value
	}
	return ""
}
