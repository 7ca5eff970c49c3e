package probe

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Expectation is what an answer has to be. A zero field expects nothing.
type Expectation struct {
	Status int
	// Header maps names of response headers to patterns: "*" stands for any text, and the empty pattern means that the
	// header must be absent. Of several values of one header one has to match.
	Header map[string]string
	// Contains are pieces of text that the body has to contain.
	Contains []string
	// Service, App and Pod name who has to have answered.
	Service, App, Pod string
	// Namespace is where the pod that answered has to be, if it says where it is. Pod addresses are reused within
	// seconds: the same app in a stranger's namespace is a wrong answer that looks right.
	Namespace string
	// Certificate is what the TLS handshake has to have shown; nil expects nothing.
	Certificate *Certificate
	// Arrived is what the request has to look like to the workload; nil expects nothing.
	Arrived *Arrived
}

// Certificate is what the certificate of a handshake has to be.
type Certificate struct {
	// Names are all of its DNS names, in any order; nil if they may be any.
	Names []string
	// Fingerprint is as in TLS; empty if the certificate may be any. Owner says in a word or two whose it is.
	Fingerprint, Owner string
}

// Mismatch is one field of an answer that is not as expected, in words for people.
type Mismatch struct {
	Field    string `json:"field"`
	Expected string `json:"expected"`
	Observed string `json:"observed"`
}

// String renders the mismatch for a line of a report.
func (m Mismatch) String() string {
	return fmt.Sprintf("%s: expected %s, observed %s", m.Field, m.Expected, m.Observed)
}

// Compare returns every way in which the answer is not as expected; none means that it is. An Observation with Err
// must not be compared: no answer is not a wrong answer.
func Compare(e Expectation, o Observation) []Mismatch {
	var all []Mismatch
	if e.Status != 0 && e.Status != o.Status {
		all = append(all, Mismatch{"status", status(e.Status), status(o.Status)})
	}
	all = append(all, compareServed(e, o.Served)...)
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		if m, differs := compareHeader(name, e.Header[name], o.Header); differs {
			all = append(all, m)
		}
	}
	for _, text := range e.Contains {
		if !bytes.Contains(o.Body, []byte(text)) {
			all = append(all, Mismatch{"body", "to contain " + strconv.Quote(text), excerpt(o)})
		}
	}
	if e.Certificate != nil {
		all = append(all, compareCertificate(*e.Certificate, o.TLS)...)
	}
	if e.Arrived != nil {
		all = append(all, compareArrived(*e.Arrived, o)...)
	}
	return all
}

func compareCertificate(e Certificate, seen *TLS) []Mismatch {
	if seen == nil {
		return []Mismatch{{"certificate", "one", "none, the connection is not TLS"}}
	}
	var all []Mismatch
	want, got := sorted(e.Names), sorted(seen.Names)
	if e.Names != nil && !slices.Equal(want, got) {
		all = append(all, Mismatch{"names of the certificate", strings.Join(want, ", "), orNone(strings.Join(got, ", "))})
	}
	if e.Fingerprint != "" && e.Fingerprint != seen.Fingerprint {
		all = append(all, Mismatch{"certificate", "that of " + e.Owner, "another one, for " + orNone(strings.Join(got, ", "))})
	}
	return all
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func compareServed(e Expectation, s *Served) []Mismatch {
	if s == nil {
		return nobody(e)
	}
	var all []Mismatch
	check := func(field, expected, observed string, ok bool) {
		if expected != "" && !ok {
			all = append(all, Mismatch{field, expected, observed})
		}
	}
	check("service", e.Service, services(s), slices.Contains(s.Services, e.Service))
	check("app", e.App, orUnknown(s.App), s.App == e.App)
	check("pod", e.Pod, orUnknown(s.Pod), s.Pod == e.Pod)
	check("namespace", e.Namespace, s.Namespace+" (a pod of somebody else)", s.Namespace == "" || s.Namespace == e.Namespace)
	return all
}

// nobody is the mismatch of an answer that no workload has given: one, however many of its properties were expected.
func nobody(e Expectation) []Mismatch {
	var expected []string
	for _, who := range []struct{ what, name string }{{"service", e.Service}, {"app", e.App}, {"pod", e.Pod}} {
		if who.name != "" {
			expected = append(expected, who.what+" "+who.name)
		}
	}
	if len(expected) == 0 {
		return nil
	}
	return []Mismatch{{"answered by", strings.Join(expected, ", "), "no workload (there is no " + HeaderServedBy + " header)"}}
}

func services(s *Served) string {
	if len(s.Services) == 0 {
		return fmt.Sprintf("pod %s, which no service has as an endpoint", orUnknown(s.Pod))
	}
	return strings.Join(s.Services, " and ")
}

func orUnknown(name string) string {
	if name == "" {
		return "unknown"
	}
	return name
}

func compareHeader(name, pattern string, h http.Header) (Mismatch, bool) {
	values := h.Values(name)
	field := "header " + http.CanonicalHeaderKey(name)
	observed := "none"
	if len(values) > 0 {
		observed = strconv.Quote(strings.Join(values, ", "))
	}
	if pattern == "" {
		return Mismatch{field, "none", observed}, len(values) > 0
	}
	matches := slices.ContainsFunc(values, func(v string) bool { return MatchPattern(pattern, v) })
	return Mismatch{field, strconv.Quote(pattern), observed}, !matches
}

// MatchPattern reports whether text is pattern, in which each * stands for any text. Taking the first place where the
// next piece occurs is enough, since only the last piece is bound to the end.
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
	if text := http.StatusText(code); text != "" {
		return fmt.Sprintf("%d %s", code, text)
	}
	return strconv.Itoa(code)
}

// excerptLength is how much of a body a report shows: enough to recognize a page by.
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
