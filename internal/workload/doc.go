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
