package workload

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

//go:embed defaultbackend.html
var defaultBackendHTML string

// NewDefaultBackend returns a server for unmatched requests: 404 and a page for each path except /healthz and /readyz. If the
// controller sends its own errors, too, the response has the status in X-Code.
// https://kubernetes.github.io/ingress-nginx/user-guide/custom-errors/
func NewDefaultBackend(id Identity) (*App, error) {
	page, err := template.New("default backend").Parse(defaultBackendHTML)
	if err != nil {
		return nil, fmt.Errorf("default backend: page: %w", err)
	}
	a := newApp("default-backend", id, func(w http.ResponseWriter, r *http.Request) {
		code := errorCode(r.Header.Get("X-Code"))
		w.Header().Set("Cache-Control", "no-store") // a new rule can change the response
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			sendText(w, code, fmt.Sprintf("default backend - %d", code))
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(code)
		_ = page.Execute(w, struct {
			Code                   int
			Text, Host, Path, From string
		}{code, http.StatusText(code), r.Host, r.URL.Path, id.ServedBy()})
	})
	// Here, /echo is a path without a control.
	delete(a.controls, "echo")
	a.exact = true
	return a, nil
}

// errorCode returns the status in X-Code if it is an error, and 404 otherwise.
func errorCode(header string) int {
	code, err := strconv.Atoi(header)
	if err != nil || code < 400 || code > 599 {
		return http.StatusNotFound
	}
	return code
}
