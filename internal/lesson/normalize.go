package lesson

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// replacement replaces a value that differs between runs.
type replacement struct {
	pattern *regexp.Regexp
	by      string
}

// letters are the characters of random names in Kubernetes: no vowels, which could form words, and
// no digits that look like letters.
const letters = "[bcdfghjklmnpqrstvwxz2456789]"

const (
	months   = `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)`
	clock    = `\d{2}:\d{2}:\d{2}`
	duration = `(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d|y))+`
)

// replacements run in order. A composite value comes before its parts.
var replacements = []replacement{
	{regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]"), ""},
	// Fingerprints, which can contain a time of day.
	{regexp.MustCompile(`\b(?:[0-9A-Fa-f]{2}:){7,}[0-9A-Fa-f]{2}\b`), "HEX"},
	// Dates: RFC 3339, HTTP, OpenSSL, Go's log, klog, and the time of day.
	{regexp.MustCompile(`\d{4}-\d{2}-\d{2}[T ]` + clock + `(?:\.\d+)?(?:Z| ?[+-]\d{2}:?\d{2})?(?: UTC| GMT)?`), "DATE"},
	{regexp.MustCompile(`(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2}[ -]` + months + `[ -]\d{2,4} ` + clock + `(?: [+-]\d{4}| GMT| UTC)?`), "DATE"},
	{regexp.MustCompile(`(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?` + months + ` +\d{1,2} ` + clock + `(?: (?:GMT|UTC))? \d{4}(?: GMT)?`), "DATE"},
	{regexp.MustCompile(`\b\d{4}/\d{2}/\d{2} ` + clock + `(?:\.\d+)?`), "DATE"},
	{regexp.MustCompile(`\b[IWEF]\d{4} ` + clock + `\.\d+ +\d+ `), "DATE "},
	{regexp.MustCompile(`\b` + clock + `(?:\.\d+)?\b`), "TIME"},
	// Keys, serial numbers, IDs, and cookies.
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "UID"},
	{regexp.MustCompile(`\$(apr1|2[aby]|1|5|6)\$[./A-Za-z0-9$]+`), "$$$1$$HASH"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{40,}={0,2}`), "BASE64"},
	{regexp.MustCompile(`\b(?:[0-9a-f]{12,}|[0-9A-F]{12,})\b`), "HEX"},
	{regexp.MustCompile(`(resourceVersion"?: ?"?)\d+`), "${1}N"},
	{regexp.MustCompile(`(?i)(content-length: )\d+`), "${1}N"},
	// Generated names: of pods, ReplicaSets, pods of DaemonSets, EndpointSlices, and nodes.
	{regexp.MustCompile(`-` + letters + `{8,10}-` + letters + `{5}\b`), "-POD"},
	{regexp.MustCompile(`-` + letters + `{8,10}\b`), "-HASH"},
	{regexp.MustCompile(`-` + letters + `{5}\b`), "-POD"},
	{regexp.MustCompile(`(pod-template-hash[=:]"?)` + letters + `+`), "${1}HASH"},
	{regexp.MustCompile(`\b[a-z0-9][a-z0-9-]*-control-plane\b`), "NODE-control-plane"},
	{regexp.MustCompile(`\b[a-z0-9][a-z0-9-]*-worker\d*\b`), "NODE"},
	// Ages, and the counts of Events.
	{regexp.MustCompile(` \(x\d+ over ` + duration + `\)`), ""},
	{regexp.MustCompile(`<invalid>|\b` + duration + `\b`), "AGE"},
	{regexp.MustCompile(` \(AGE ago\)`), ""},
}

var (
	ipv4 = regexp.MustCompile(`\b(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(/\d{1,2}\b)?(:\d{5}\b)?`)
	ipv6 = regexp.MustCompile(`\[?[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*(/\d{1,3}\b)?\]?`)
	// nodePort matches a NodePort. Lessons set the first and the last one, 30000 and 32767.
	nodePort = regexp.MustCompile(`\b3[0-2]\d{3}/(TCP|UDP)\b`)
	inner    = regexp.MustCompile(`(\S)[ \t]{2,}`)
	tabs     = regexp.MustCompile(`\t+`)
)

// Normalize replaces values that differ between runs or clusters with words in capitals, and
// collapses spaces. It prefers to hide a real difference over reporting a false one.
func Normalize(output string) string {
	output = strings.ReplaceAll(output, "\r", "")
	for _, r := range replacements {
		output = r.pattern.ReplaceAllString(output, r.by)
	}
	output = nodePort.ReplaceAllStringFunc(output, func(found string) string {
		if strings.HasPrefix(found, "30000/") || strings.HasPrefix(found, "32767/") {
			return found
		}
		return "NODEPORT" + found[5:]
	})
	output = ipv4.ReplaceAllStringFunc(output, addressV4)
	output = ipv6.ReplaceAllStringFunc(output, addressV6)
	lines := strings.Split(output, "\n")
	for i, line := range lines {
		line = strings.TrimRight(tabs.ReplaceAllString(line, "  "), " ")
		lines[i] = inner.ReplaceAllString(line, "$1 ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// addressV4 keeps a loopback address. Of other addresses, it keeps only a port that is no client's.
func addressV4(found string) string {
	m := ipv4.FindStringSubmatch(found)
	address, err := netip.ParseAddr(m[1])
	if err != nil || address.IsLoopback() || address.IsUnspecified() {
		return found
	}
	mask, port := m[2], m[3]
	if mask != "" {
		mask = "/MASK"
	}
	if port >= ":32768" {
		port = ":PORT"
	}
	return "IP" + mask + port
}

func addressV6(found string) string {
	text, mask, masked := strings.Cut(strings.Trim(found, "[]"), "/")
	address, err := netip.ParseAddr(text)
	if err != nil || address.IsLoopback() || address.IsUnspecified() {
		return found
	}
	by := "IP"
	if masked && mask != "" {
		by += "/MASK"
	}
	if strings.HasPrefix(found, "[") {
		by = "[" + by + "]"
	}
	return by
}

const elision = "..." // a recorded line that matches any number of lines

// Match compares normalized outputs. The recorded line ... matches any number of lines.
func Match(recorded, output string) bool {
	return matchLines(strings.Split(Normalize(recorded), "\n"), strings.Split(Normalize(output), "\n"))
}

// matchLines backtracks only to the last elision: its time is at most the product of the lengths.
func matchLines(want, got []string) bool {
	i, j, after, skipped := 0, 0, -1, 0
	for j < len(got) {
		switch {
		case i < len(want) && strings.TrimSpace(want[i]) == elision:
			i++
			after, skipped = i, j
		case i < len(want) && want[i] == got[j]:
			i++
			j++
		case after >= 0:
			skipped++
			i, j = after, skipped
		default:
			return false
		}
	}
	for i < len(want) && strings.TrimSpace(want[i]) == elision {
		i++
	}
	return i == len(want)
}

// Diff marks recorded lines with "- " and new ones with "+ ". It is empty if the outputs match.
func Diff(recorded, output string) string {
	if Match(recorded, output) {
		return ""
	}
	a, b := strings.Split(Normalize(recorded), "\n"), strings.Split(Normalize(output), "\n")
	var out strings.Builder
	write := func(mark string, lines []string) {
		for _, line := range lines {
			out.WriteString(mark + line + "\n")
		}
	}
	for _, op := range difflib.NewMatcherWithJunk(a, b, false, nil).GetOpCodes() {
		if op.Tag == 'e' {
			write("  ", a[op.I1:op.I2])
			continue
		}
		write("- ", a[op.I1:op.I2])
		write("+ ", b[op.J1:op.J2])
	}
	return out.String()
}
