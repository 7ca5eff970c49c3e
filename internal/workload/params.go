package workload

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// params reads the query of a control, and collects all errors for one response.
type params struct {
	control string
	values  url.Values
	known   []string
	faults  []string
}

func readParams(r *http.Request, control string) *params {
	values, err := url.ParseQuery(r.URL.RawQuery)
	p := &params{control: control, values: values}
	if err != nil {
		p.faultf("query: %v", err)
	}
	return p
}

func (p *params) faultf(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// ok responds with 400 if there are errors, and reports whether to continue. Call it after reading all parameters, because a parameter
// that was not read is unknown.
func (p *params) ok(w http.ResponseWriter) bool {
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		switch {
		case !slices.Contains(p.known, name) && len(p.known) == 0:
			p.faultf("%s: unknown parameter; /%s has none", name, p.control)
		case !slices.Contains(p.known, name):
			p.faultf("%s: unknown parameter; /%s has %s", name, p.control, strings.Join(p.known, ", "))
		case len(p.values[name]) > 1:
			p.faultf("%s: given %d times", name, len(p.values[name]))
		}
	}
	if len(p.faults) == 0 {
		return true
	}
	sendText(w, http.StatusBadRequest, strings.Join(p.faults, "\n"))
	return false
}

// text returns the parameter, and whether it exists.
func (p *params) text(name string) (string, bool) {
	p.known = append(p.known, name)
	return p.values.Get(name), p.values.Has(name)
}

func (p *params) duration(name string, fallback, most time.Duration) time.Duration {
	text, given := p.text(name)
	if !given {
		return fallback
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		p.faultf("%s: %q is not a duration such as 500ms or 2s", name, text)
	case d < 0 || d > most:
		p.faultf("%s: %s is not between 0s and %s", name, text, most)
	default:
		return d
	}
	return fallback
}

func (p *params) number(name string, fallback, least, most int) int {
	text, given := p.text(name)
	if !given {
		return fallback
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		p.faultf("%s: %q is not a whole number", name, text)
	case n < least || n > most:
		p.faultf("%s: %d is not between %d and %d", name, n, least, most)
	default:
		return n
	}
	return fallback
}

func (p *params) fraction(name string, fallback float64) float64 {
	text, given := p.text(name)
	if !given {
		return fallback
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1 {
		p.faultf("%s: %q is not a fraction between 0 and 1", name, text)
		return fallback
	}
	return f
}

func (p *params) boolean(name string) (value, given bool) {
	text, given := p.text(name)
	if !given {
		return false, false
	}
	if text != "true" && text != "false" {
		p.faultf("%s: %q is neither true nor false", name, text)
	}
	return text == "true", true
}

// choice returns one of the options; the first is the default.
func (p *params) choice(name string, options ...string) string {
	text, given := p.text(name)
	if given && slices.Contains(options, text) {
		return text
	}
	if given {
		p.faultf("%s: %q is not one of %s", name, text, strings.Join(options, ", "))
	}
	return options[0]
}
