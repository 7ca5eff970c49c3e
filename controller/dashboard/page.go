package dashboard

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"time"
)

// page is parsed at startup, and the tests show that it parses.
var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"stamp": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" },
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"first": func(list []Endpoint, n int) []Endpoint { return list[:min(n, len(list))] },
	"minus": func(a, b int) int { return a - b },
	"left":  daysLeft,
	"soon":  func(t time.Time) bool { return time.Until(t) < expiresSoon },
	"pool": func(p *Pool, e Endpoint) map[string]any {
		return map[string]any{"Name": figureName(p, e), "Endpoint": e}
	},
}).ParseFS(assets, "assets/page.html"))

// expiresSoon is the remaining validity at which the page warns about a certificate. Automatic
// renewal usually runs 30 days before the end.
const expiresSoon = 21 * 24 * time.Hour

// daysLeft returns how long a certificate is still valid.
func daysLeft(end time.Time) string {
	switch left := time.Until(end); {
	case left < 0:
		return "expired"
	case left < 48*time.Hour:
		return fmt.Sprintf("%d hours left", int(left.Hours()))
	default:
		return fmt.Sprintf("%d days left", int(math.Floor(left.Hours()/24)))
	}
}

// servePage writes the page, which is complete without its script. The form keeps its values and
// shows the explanation.
func (d *Dashboard) servePage(w http.ResponseWriter, r *http.Request) {
	// Read the number before the data, so that the page gets an event for any later table.
	serial, _ := d.changes.current()
	s, filter := d.source, r.FormValue("filter")
	data := map[string]any{
		"Serial": serial, "State": s.State(), "Overview": s.overview(filter), "Filter": filter,
		"Problems": s.problems(), "Certificates": certificates(s.Table()), "Ingresses": len(s.Table().Ingresses()),
		"Request": requestOf(r), "Figures": s.figures(overview{}),
	}
	if r.FormValue("url") != "" {
		explanation, err := s.explain(requestOf(r))
		data["Explanation"], data["ExplainError"] = explanation, err
	}
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil {
		http.Error(w, fmt.Sprintf("status page: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = body.WriteTo(w) // the client closed the connection
}
