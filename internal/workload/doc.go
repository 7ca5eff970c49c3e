// Package workload holds the demo servers that labs route requests to: three cheeses, two
// numbered back-ends and a default back-end. They exist to be asked "who are you, and what did you
// receive?", so that a student, or a scenario, can tell which pod answered and what the ingress
// controller did to the request on its way.
//
// Read app.go first (how a request finds its answer), then echo.go (what is said about a request)
// and server.go (how a pod leaves without losing a request). The client side of the labs is in the
// packages fetch (curl and wget alike) and nslookup.
//
// # The contract with the scenario engine
//
// Every answer of every workload, errors included, carries two headers:
//
//	X-Served-By: <namespace>/<pod>   who answered; "-" stands for a namespace that is not known
//	X-App: <app>                     cheddar, stilton, wensleydale, backend-1, backend-2, ... or
//	                                 default-backend
//
// The pod's name is POD_NAME, else the host name, which Kubernetes sets to the pod's name. The
// namespace is POD_NAMESPACE, else what the service account mount says. The node is NODE_NAME, and
// unknown without it: nothing inside a pod tells its node but the downward API.
// (https://kubernetes.io/docs/concepts/workloads/pods/downward-api/)
//
// # Paths
//
// An Ingress forwards the path as it came: a rule for /eightyeighty sends /eightyeighty/echo to its
// pod. So a path is read segment by segment, and the first segment that names a control decides:
// /echo, /eightyeighty/echo and /echo/any//path%2Fyou/like all reach the echo. Whatever names no
// control gets the app's own page or greeting.
//
// Every workload has /healthz and /readyz, and every one but the default back-end has /echo. The
// cheeses add /cheese.svg; the back-ends add /slow, /status/CODE, /fail, /stream, /bytes, /upgrade
// and /crash. The default back-end answers 404 everywhere else, and knows its two paths only
// exactly, as anything that no rule wanted may arrive there. docs/workloads.md shows each in use.
//
// A control that is asked for something impossible answers 400 and says which parameter is wrong.
package workload
