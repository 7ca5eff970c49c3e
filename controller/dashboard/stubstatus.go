package dashboard

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// vtsPage loads no other file, because an Ingress might route only /nginx_status.
var vtsPage = template.Must(template.ParseFS(assets, "assets/vts.html"))

// stub returns the text of nginx's stub_status module, byte for byte, because scripts parse it.
func (t Traffic) stub() string {
	return fmt.Sprintf("Active connections: %d \nserver accepts handled requests\n %d %d %d \nReading: %d Writing: %d Waiting: %d \n",
		t.Active, t.Accepted, t.Handled, t.Requests, t.Reading, t.Writing, t.Waiting)
}

// serveStubStatus writes the text of stub_status. With enable-vts-status, browsers get a page with
// the pools, as in nginx's module vts (https://github.com/vozlt/nginx-module-vts).
func (s Source) serveStubStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if !s.Table().Settings().VTSStatus || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(s.Traffic().stub())) // the client closed the connection
		return
	}
	var body bytes.Buffer
	data := map[string]any{"State": s.State(), "Stub": s.Traffic().stub(), "Overview": s.overview("")}
	if err := vtsPage.Execute(&body, data); err != nil {
		http.Error(w, fmt.Sprintf("status page: %v", err), http.StatusInternalServerError)
		return
	}
	// The page has inline styles, and loads no other file.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "+
		"form-action 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = body.WriteTo(w) // the client closed the connection
}
