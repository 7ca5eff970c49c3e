package dashboard

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"
)

//go:embed assets
var assets embed.FS

// page is parsed once; that it parses is a matter of the build, not of the run.
var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"ago": func(t time.Time) string { return time.Since(t).Round(time.Second).String() },
}).ParseFS(assets, "assets/page.html"))

// New gives the handler of the status page.
func New(source Source) http.Handler {
	static, err := fs.Sub(assets, "assets")
	if err != nil {
		static = assets // cannot be: the directory is embedded above
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", source.servePage)
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(static)))
	mux.HandleFunc("GET /nginx_status", source.serveStubStatus)
	mux.HandleFunc("GET /api/v1/table", func(w http.ResponseWriter, _ *http.Request) {
		serveJSON(w, http.StatusOK, map[string]any{"state": source.State(), "hosts": source.hosts()})
	})
	mux.HandleFunc("GET /api/v1/endpoints", func(w http.ResponseWriter, _ *http.Request) {
		pools, _ := source.pools(source.Table())
		serveJSON(w, http.StatusOK, map[string]any{"pools": pools})
	})
	mux.HandleFunc("GET /api/v1/problems", func(w http.ResponseWriter, _ *http.Request) {
		serveJSON(w, http.StatusOK, map[string]any{"problems": source.problems()})
	})
	mux.HandleFunc("GET /api/v1/explain", func(w http.ResponseWriter, r *http.Request) {
		explanation, err := source.explain(r.FormValue("url"))
		if err != nil {
			serveJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		serveJSON(w, http.StatusOK, explanation)
	})
	return harden(mux)
}

// harden sets what every page of ours should have: nothing is loaded from elsewhere, nobody frames it, nobody guesses.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (s Source) servePage(w http.ResponseWriter, r *http.Request) {
	table := s.Table()
	pools, _ := s.pools(table)
	endpoints := 0
	for _, pool := range pools {
		endpoints += len(pool.Endpoints)
	}
	data := map[string]any{
		"State": s.State(), "Traffic": s.Traffic(), "Hosts": s.hosts(), "Problems": s.problems(), "Pools": pools,
		"Ingresses": len(table.Ingresses()), "Endpoints": endpoints, "URL": r.FormValue("url"),
	}
	if url := r.FormValue("url"); url != "" {
		explanation, err := s.explain(url)
		data["Explanation"], data["ExplainError"] = explanation, err
	}
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil {
		http.Error(w, fmt.Sprintf("status page: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = body.WriteTo(w) // the reader left
}

// serveStubStatus writes what scripts for nginx's status page parse.
func (s Source) serveStubStatus(w http.ResponseWriter, _ *http.Request) {
	t := s.Traffic()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "Active connections: %d \nserver accepts handled requests\n %d %d %d \nReading: %d Writing: %d Waiting: %d \n",
		t.Active, t.Accepted, t.Handled, t.Requests, t.Reading, t.Writing, t.Waiting) // the reader left
}

func serveJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value) // the reader left
}
