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

// NewDefaultBackend makes the server for requests that no rule wanted: 404 and a page for every
// path but /healthz and /readyz. A controller that sends it its errors too says which one in X-Code,
// and gets that code back.
// https://kubernetes.github.io/ingress-nginx/user-guide/custom-errors/
func NewDefaultBackend(id Identity) (*App, error) {
	page, err := template.New("default back-end").Parse(defaultBackendHTML)
	if err != nil {
		return nil, fmt.Errorf("default back-end: page: %w", err)
	}
	a := newApp("default-backend", id, func(w http.ResponseWriter, r *http.Request) {
		code := errorCode(r.Header.Get("X-Code"))
		w.Header().Set("Cache-Control", "no-store") // the next rule may make it wrong
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
	// Here /echo is a path like any other: nobody wanted it.
	delete(a.controls, "echo")
	a.exact = true
	return a, nil
}

// errorCode trusts X-Code only with what is an error.
func errorCode(header string) int {
	code, err := strconv.Atoi(header)
	if err != nil || code < 400 || code > 599 {
		return http.StatusNotFound
	}
	return code
}
