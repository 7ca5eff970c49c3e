package workload

import (
	"net/http"
	"strings"
)

// App is a workload: a greeting, and the controls that the package comment lists. It is an http.Handler; a Server runs it.
type App struct {
	// Name is the value of HeaderApp.
	Name string
	// Identity is the pod that responds.
	Identity Identity

	controls map[string]control
	greeting http.HandlerFunc // handles requests without a control
	exact    bool             // controls exist only at /name, not below a prefix
	life     *life
}

// control handles one kind of request. rest is the path after the control's name and a slash: "503" for /status/503.
type control func(w http.ResponseWriter, r *http.Request, rest string)

func newApp(name string, id Identity, greeting http.HandlerFunc) *App {
	a := &App{Name: name, Identity: id, greeting: greeting, life: newLife()}
	a.controls = map[string]control{
		"healthz": plain(healthz),
		"readyz":  plain(a.life.readyz),
		"echo":    plain(a.echo),
	}
	return a
}

// plain returns a control that ignores the rest of the path.
func plain(h http.HandlerFunc) control {
	return func(w http.ResponseWriter, r *http.Request, _ string) { h(w, r) }
}

// ServeHTTP sets the identity headers, and calls the control or the greeting.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(HeaderServedBy, a.Identity.ServedBy())
	w.Header().Set(HeaderApp, a.Name)
	// /echo returns text of the client; a browser must not guess that it is a page.
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if a.life.draining.Load() {
		// The client closes its connection, so that it gets no reset later. Go sends GOAWAY in HTTP/2.
		w.Header().Set("Connection", "close")
	}
	if c, rest := a.find(r.URL.EscapedPath()); c != nil {
		c(w, r, rest)
		return
	}
	a.greeting(w, r)
}

// find splits the path. http.ServeMux would clean it, or redirect, and so hide the path that the Ingress controller sent.
func (a *App) find(path string) (found control, rest string) {
	if a.exact {
		return a.controls[strings.TrimPrefix(path, "/")], ""
	}
	for path != "" {
		var segment string
		segment, path, _ = strings.Cut(path, "/")
		if c := a.controls[segment]; c != nil {
			return c, path
		}
	}
	return nil, ""
}

// isProbe reports whether the request is one of the kubelet's frequent probes.
func isProbe(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.URL.Path == "/healthz" || r.URL.Path == "/readyz")
}

func sendText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	// A write fails if the client closed the connection; no Write of this package checks that.
	_, _ = w.Write([]byte(text + "\n"))
}
