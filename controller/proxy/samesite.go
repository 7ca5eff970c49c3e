package proxy

import (
	"regexp"
	"strconv"
	"strings"
)

// versions of browsers in a User-Agent header.
var (
	chromeVersion = regexp.MustCompile(`Chrom(?:e|ium)/(\d+)`)
	ucVersion     = regexp.MustCompile(`UCBrowser/(\d+)\.(\d+)\.(\d+)`)
)

// misreadsSameSiteNone knows the browsers to which SameSite=None is an error: they drop the cookie, or take None for Strict.
// The list is https://www.chromium.org/updates/same-site/incompatible-clients/, with a margin around Chrome's versions
// in which None and nothing are the same.
func misreadsSameSiteNone(userAgent string) bool {
	has := func(parts ...string) bool {
		for _, part := range parts {
			if !strings.Contains(userAgent, part) {
				return false
			}
		}
		return true
	}
	switch {
	case has("CPU iPhone OS 12_"), has("iPad; CPU OS 12_"): // every browser there uses the system's engine
		return true
	case has("Macintosh", "Mac OS X 10_14", "AppleWebKit") && !has("Chrome/") && !has("Chromium/"): // Safari and its kin
		return true
	case has("UCBrowser/"):
		m := ucVersion.FindStringSubmatch(userAgent)
		return m != nil && olderThan(m[1:], 12, 13, 2)
	}
	m := chromeVersion.FindStringSubmatch(userAgent)
	return m != nil && olderThan(m[1:], 70) && !olderThan(m[1:], 40)
}

// olderThan compares a version, number by number.
func olderThan(version []string, than ...int) bool {
	for i, part := range version {
		if n, _ := strconv.Atoi(part); n != than[i] { // only digits come here
			return n < than[i]
		}
	}
	return false
}
