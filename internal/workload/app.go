// Package workload contains the demo servers of the labs: three cheese servers, two numbered backends, and a default backend. Their
// responses show which pod served a request, and what the Ingress controller changed in it.
//
// Read app.go first (how a request selects its handler), then echo.go (the received request) and server.go (how a pod stops without
// losing a request). Packages fetch and nslookup are the client side.
//
// # Headers
//
// Every response, errors included, has two headers:
//
//	X-Served-By: <namespace>/<pod>   "-" for an unknown namespace
//	X-App: <app>                     cheddar, stilton, wensleydale, backend-1, backend-2, or default-backend
//
// The pod's name is POD_NAME or the host name. The namespace is POD_NAMESPACE or that of the service account mount. The node is
// NODE_NAME: a pod knows its node only through the downward API
// (https://kubernetes.io/docs/concepts/workloads/pods/downward-api/).
//
// # Paths
//
// An Ingress forwards the path unchanged, so the first path segment with a control's name selects it: /echo, /eightyeighty/echo, and
// /echo/any//path%2Fyou/like all select echo. Other paths get the app's page or greeting.
//
// Every workload has /healthz and /readyz, and all except the default backend have /echo. Cheese servers add /cheese.svg. Backends add
// /slow, /status/CODE, /fail, /stream, /bytes, /upgrade, and /crash. The default backend has only its two exact paths, because it
// serves unmatched requests. docs/workloads.md shows each control.
//
// A control returns 400 for an invalid parameter, and names it.
package workload

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/ingresslab/ingresslab/internal/workload/cheese"
)

// App is a workload: a greeting, and the controls that the package comment lists. It is an http.Handler; a Server runs it.
type App struct {
	Name     string   // the value of HeaderApp
	Identity Identity // the pod that responds

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
		// Make the client close its connection, so that it gets no reset later. Go sends GOAWAY in HTTP/2.
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

// NewBackend returns a numbered web server. It responds with its number and port, and has controls that make it fail.
func NewBackend(number, port int, id Identity) (*App, error) {
	if number < 1 {
		return nil, fmt.Errorf("backend: number %d is less than 1", number)
	}
	text := fmt.Sprintf("This is Web Server %d running on %d!", number, port)
	greeting := func(w http.ResponseWriter, _ *http.Request) { sendText(w, http.StatusOK, text) }
	a := newApp(fmt.Sprintf("backend-%d", number), id, greeting)
	a.controls["slow"] = plain(slow(greeting))
	a.controls["status"] = status
	a.controls["fail"] = plain(fail(rand.Float64, greeting))
	a.controls["stream"] = plain(stream)
	a.controls["bytes"] = plain(sendBytes)
	a.controls["upgrade"] = plain(a.upgrade)
	a.controls["crash"] = plain(a.life.crash)
	return a, nil
}

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
	// The default backend treats /echo like any other path.
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

// The headers that identify the pod.
const (
	HeaderServedBy = "X-Served-By" // Identity.ServedBy
	HeaderApp      = "X-App"       // the name of the app, such as cheddar or backend-1
)

// namespaceFile contains the pod's namespace if the service account token is mounted.
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Identity identifies the pod of this process.
type Identity struct {
	Namespace string // empty if unknown
	Pod       string // the host name if POD_NAME is not set
	Node      string // empty if NODE_NAME is not set
}

// ServedBy returns the value of HeaderServedBy. An unknown namespace is "-", which is no valid name.
func (id Identity) ServedBy() string {
	return cmp.Or(id.Namespace, "-") + "/" + id.Pod
}

// Surroundings are the sources of an Identity.
type Surroundings struct {
	Getenv   func(name string) string
	Hostname func() (string, error)
	ReadFile func(path string) ([]byte, error)
}

// HostSurroundings returns the environment, host name, and files of this process.
func HostSurroundings() Surroundings {
	return Surroundings{Getenv: os.Getenv, Hostname: os.Hostname, ReadFile: os.ReadFile}
}

// Identify returns the pod of this process. Unknown fields stay empty, so that a workload also runs outside a cluster.
func Identify(from Surroundings) Identity {
	id := Identity{Namespace: from.Getenv("POD_NAMESPACE"), Pod: from.Getenv("POD_NAME"), Node: from.Getenv("NODE_NAME")}
	if id.Pod == "" {
		id.Pod = "unknown"
		if name, err := from.Hostname(); err == nil && name != "" {
			id.Pod = name
		}
	}
	if id.Namespace == "" {
		if data, err := from.ReadFile(namespaceFile); err == nil {
			id.Namespace = strings.TrimSpace(string(data))
		}
	}
	return id
}
