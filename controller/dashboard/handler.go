package dashboard

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
)

//go:embed assets
var assets embed.FS

// Dashboard serves the status page. New creates one.
type Dashboard struct {
	source  Source
	changes changes
	streams chan struct{}
	handler http.Handler
}

// New returns the handler of the status page.
func New(source Source) *Dashboard {
	static, err := fs.Sub(assets, "assets")
	if err != nil {
		static = assets // cannot happen: the directory is embedded above
	}
	d := &Dashboard{source: source, streams: make(chan struct{}, maxStreams)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.servePage)
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(static)))
	mux.HandleFunc("GET /nginx_status", source.serveStubStatus)
	mux.HandleFunc("GET /api/v1/table", source.serveTable)
	mux.HandleFunc("GET /api/v1/endpoints", func(w http.ResponseWriter, _ *http.Request) {
		pools, _ := source.pools(source.Table())
		serveJSON(w, http.StatusOK, map[string]any{"pools": pools})
	})
	mux.HandleFunc("GET /api/v1/problems", func(w http.ResponseWriter, _ *http.Request) {
		serveJSON(w, http.StatusOK, map[string]any{"problems": source.problems()})
	})
	mux.HandleFunc("GET /api/v1/certificates", func(w http.ResponseWriter, _ *http.Request) {
		serveJSON(w, http.StatusOK, map[string]any{"certificates": certificates(source.Table())})
	})
	mux.HandleFunc("GET /api/v1/explain", source.serveExplanation)
	mux.HandleFunc("GET /api/v1/events", d.serveEvents)
	d.handler = harden(mux)
	return d
}

// ServeHTTP implements http.Handler.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// Changed makes open pages reload their data. Call it after every change except in statistics, from
// any goroutine.
func (d *Dashboard) Changed() { d.changes.announce() }

// harden sets headers for all responses: browsers load nothing from other sites, do not frame the
// page, and do not guess content types.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "+
			"frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (s Source) serveTable(w http.ResponseWriter, _ *http.Request) {
	table := s.Table()
	_, pools := s.pools(table)
	serveJSON(w, http.StatusOK, map[string]any{"state": s.State(), "hosts": hosts(table, pools)})
}

func serveJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value) // the client closed the connection
}
