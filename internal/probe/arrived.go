package probe

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// Arrived describes the request that the workload must receive, as /echo reports it. A zero field accepts any value.
type Arrived struct {
	Method, Path, Query, Host, Protocol, Body string
	// TLS is whether the request arrives over TLS; nil accepts both.
	TLS *bool
	// Header is as in Expectation, for request headers.
	Header map[string]string
}

// echo is the part of the response of /echo that an Arrived is about.
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

func compareArrived(e Arrived, o Observation) []Mismatch {
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
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		if m, differs := compareHeader(name, e.Header[name], got.Headers); differs {
			m.Field = "arrived " + m.Field
			all = append(all, m)
		}
	}
	return all
}
