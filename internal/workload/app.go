package workload

import (
	"net/http"
	"strings"
)

// App is one workload: a greeting, and the controls that the doc comment of this package lists. It
// is an http.Handler; a Server runs it.
type App struct {
	// Name is what HeaderApp says.
	Name string
	// Identity is who answers.
	Identity Identity

	controls map[string]control
	greeting http.HandlerFunc // answers what no control does
	exact    bool             // controls are found only at /name, not below a prefix
	life     *life
}

// control answers one kind of request. rest is what follows the control's name in the path, without
// the slash between them: "503" for /status/503.
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

// plain makes a control of a handler that does not look at the rest of the path.
func plain(h http.HandlerFunc) control {
	return func(w http.ResponseWriter, r *http.Request, _ string) { h(w, r) }
}

// ServeHTTP signs the answer with who gives it, then lets the control or the greeting give it.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(HeaderServedBy, a.Identity.ServedBy())
	w.Header().Set(HeaderApp, a.Name)
	// What is echoed is somebody else's text: no browser may guess that it is a page.
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if a.life.draining.Load() {
		// A client that keeps connections open learns here, not from a reset, that this one ends. In
		// HTTP/2 Go turns it into GOAWAY.
		w.Header().Set("Connection", "close")
	}
	if c, rest := a.find(r.URL.EscapedPath()); c != nil {
		c(w, r, rest)
		return
	}
	a.greeting(w, r)
}

// find reads the path by hand: http.ServeMux would clean it, or redirect to a cleaned one, and so
// hide what the ingress controller sent.
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

// isProbe tells requests that the kubelet makes every few seconds, which would drown the log.
func isProbe(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.URL.Path == "/healthz" || r.URL.Path == "/readyz")
}

func sendText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	// A client that went away is its own business, here and wherever else a Write is not checked.
	_, _ = w.Write([]byte(text + "\n"))
}
