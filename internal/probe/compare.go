package probe

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Expectation describes the expected response. A zero field accepts any value.
type Expectation struct {
	Status int
	// Header maps names of response headers to patterns. "*" matches any text, and an empty pattern requires that the header is
	// absent. One of several values must match.
	Header            map[string]string
	Contains          []string // texts that the body must contain
	Service, App, Pod string   // the pod that must respond
	// Namespace is the namespace of the pod, if the response has it. Kubernetes reuses pod addresses within seconds, so the same app in
	// another namespace can respond.
	Namespace   string
	Certificate *Certificate // of the server; nil accepts any
	Received    *Received    // the request as the workload must receive it; nil accepts any
}

// Certificate describes the expected server certificate.
type Certificate struct {
	Names []string // all DNS names, in any order; nil accepts any
	// Fingerprint is the expected TLS.Fingerprint; empty accepts any. Owner describes the certificate for the error.
	Fingerprint, Owner string
}

// Mismatch is a field of a response with an unexpected value.
type Mismatch struct {
	Field    string `json:"field"`
	Expected string `json:"expected"`
	Observed string `json:"observed"`
}

// String returns a line for a report.
func (m Mismatch) String() string {
	return fmt.Sprintf("%s: expected %s, observed %s", m.Field, m.Expected, m.Observed)
}

// Compare returns the mismatches of a response. Do not pass an Observation whose Err is set, because a missing response is not a wrong one.
func Compare(e Expectation, o Observation) []Mismatch {
	var all []Mismatch
	if e.Status != 0 && e.Status != o.Status {
		all = append(all, Mismatch{"status", status(e.Status), status(o.Status)})
	}
	all = append(all, compareServed(e, o.Served)...)
	all = append(all, compareHeaders("", e.Header, o.Header)...)
	for _, text := range e.Contains {
		if !bytes.Contains(o.Body, []byte(text)) {
			all = append(all, Mismatch{"body", "to contain " + strconv.Quote(text), excerpt(o)})
		}
	}
	if e.Certificate != nil {
		all = append(all, compareCertificate(*e.Certificate, o.TLS)...)
	}
	if e.Received != nil {
		all = append(all, compareReceived(*e.Received, o)...)
	}
	return all
}

func compareCertificate(e Certificate, seen *TLS) []Mismatch {
	if seen == nil {
		return []Mismatch{{"certificate", "one", "none, the connection is not TLS"}}
	}
	var all []Mismatch
	want, got := slices.Sorted(slices.Values(e.Names)), slices.Sorted(slices.Values(seen.Names))
	names := cmp.Or(strings.Join(got, ", "), "none")
	if e.Names != nil && !slices.Equal(want, got) {
		all = append(all, Mismatch{"names of the certificate", strings.Join(want, ", "), names})
	}
	if e.Fingerprint != "" && e.Fingerprint != seen.Fingerprint {
		all = append(all, Mismatch{"certificate", "that of " + e.Owner, "another one, for " + names})
	}
	return all
}

func compareServed(e Expectation, s *Served) []Mismatch {
	if s == nil {
		return unserved(e)
	}
	var all []Mismatch
	check := func(field, expected, observed string, ok bool) {
		if expected != "" && !ok {
			all = append(all, Mismatch{field, expected, observed})
		}
	}
	check("service", e.Service, services(s), slices.Contains(s.Services, e.Service))
	check("app", e.App, cmp.Or(s.App, "unknown"), s.App == e.App)
	check("pod", e.Pod, cmp.Or(s.Pod, "unknown"), s.Pod == e.Pod)
	check("namespace", e.Namespace, s.Namespace+" (another namespace)", s.Namespace == "" || s.Namespace == e.Namespace)
	return all
}

// unserved returns one mismatch for a response that no workload sent.
func unserved(e Expectation) []Mismatch {
	var expected []string
	for _, who := range []struct{ what, name string }{{"service", e.Service}, {"app", e.App}, {"pod", e.Pod}} {
		if who.name != "" {
			expected = append(expected, who.what+" "+who.name)
		}
	}
	if len(expected) == 0 {
		return nil
	}
	return []Mismatch{{"answered by", strings.Join(expected, ", "), "no workload (no " + HeaderServedBy + " header)"}}
}

func services(s *Served) string {
	if len(s.Services) == 0 {
		return fmt.Sprintf("pod %s, which no service has as an endpoint", cmp.Or(s.Pod, "unknown"))
	}
	return strings.Join(s.Services, " and ")
}

// compareHeaders compares headers with the patterns of their names. prefix precedes the field of each Mismatch.
func compareHeaders(prefix string, patterns map[string]string, h http.Header) []Mismatch {
	var all []Mismatch
	for _, name := range slices.Sorted(maps.Keys(patterns)) {
		pattern, values := patterns[name], h.Values(name)
		expected, observed := "none", "none"
		if pattern != "" {
			expected = strconv.Quote(pattern)
		}
		if len(values) > 0 {
			observed = strconv.Quote(strings.Join(values, ", "))
		}
		matches := slices.ContainsFunc(values, func(v string) bool { return MatchPattern(pattern, v) })
		if matches && pattern != "" || pattern == "" && len(values) == 0 {
			continue
		}
		all = append(all, Mismatch{prefix + "header " + http.CanonicalHeaderKey(name), expected, observed})
	}
	return all
}

// MatchPattern reports whether text matches pattern, in which each * matches any text.
func MatchPattern(pattern, text string) bool {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == text
	}
	first, middle, last := pieces[0], pieces[1:len(pieces)-1], pieces[len(pieces)-1]
	rest, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for _, piece := range middle {
		_, after, found := strings.Cut(rest, piece)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, last)
}

func status(code int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
}

// excerptLength limits the part of a body in a report, in characters.
const excerptLength = 120

func excerpt(o Observation) string {
	if len(o.Body) == 0 {
		return "an empty body"
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(o.Body), "?")), " ")
	if runes := []rune(text); len(runes) > excerptLength {
		text = string(runes[:excerptLength]) + "..."
	}
	return strconv.Quote(text)
}

// Received describes the request that the workload must receive, as /echo reports it. A zero field accepts any value.
type Received struct {
	Method, Path, Query, Host, Protocol, Body string
	TLS                                       *bool             // whether the request arrives over TLS; nil accepts both
	Header                                    map[string]string // as in Expectation, for request headers
}

// echo is the part of the response of /echo that a Received describes.
type echo struct {
	Method   string           `json:"method"`
	Path     string           `json:"path"`
	Query    string           `json:"query"`
	Host     string           `json:"host"`
	Protocol string           `json:"protocol"`
	Body     string           `json:"body"`
	Headers  http.Header      `json:"headers"`
	TLS      *json.RawMessage `json:"tls"`
}

func compareReceived(e Received, o Observation) []Mismatch {
	var got echo
	if err := json.Unmarshal(o.Body, &got); err != nil || got.Method == "" {
		return []Mismatch{{"body", "a workload's account of the request (/echo)", excerpt(o)}}
	}
	var all []Mismatch
	for _, field := range []struct{ name, expected, observed string }{
		{"method", e.Method, got.Method},
		{"path", e.Path, got.Path},
		{"query", e.Query, got.Query},
		{"host", e.Host, got.Host},
		{"protocol", e.Protocol, got.Protocol},
		{"body", e.Body, got.Body},
	} {
		if field.expected != "" && field.expected != field.observed {
			all = append(all, Mismatch{"arrived " + field.name, strconv.Quote(field.expected), strconv.Quote(field.observed)})
		}
	}
	if e.TLS != nil && *e.TLS != (got.TLS != nil) {
		all = append(all, Mismatch{"arrived over TLS", fmt.Sprint(*e.TLS), fmt.Sprint(got.TLS != nil)})
	}
	return append(all, compareHeaders("arrived ", e.Header, got.Headers)...)
}
