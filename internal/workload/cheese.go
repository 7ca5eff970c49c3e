package workload

import (
	"net/http"

	"github.com/ingresslab/ingresslab/internal/workload/cheese"
)

// NewCheese returns a web server that shows a picture of a cheese. cheese.Names lists the names.
func NewCheese(name string, id Identity) (*App, error) {
	c, err := cheese.Find(name)
	if err != nil {
		return nil, err
	}
	page, err := cheese.NewPage(c)
	if err != nil {
		return nil, err
	}
	a := newApp(c.Name, id, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store") // a rule can change the cheese of a host
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
		_ = page.Render(w, cheese.Visit{Namespace: id.Namespace, Pod: id.Pod, Node: id.Node, Host: r.Host})
	})
	a.controls["cheese.svg"] = plain(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(c.SVG)
	})
	return a, nil
}
