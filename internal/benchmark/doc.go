// Package simulate fills an embedded cluster with Ingresses, Services and virtual pods, changes endpoints, and measures what
// that costs the controller, and how long a change takes to reach the requests of clients.
//
// Everything but the pods' processes is real: the objects are in etcd, the EndpointSlices are written by Kubernetes' own
// controller, the ingress controller is the one that `ingresslab up` installs, and requests go through its port. It is
// judged from outside: by its answers, its metrics and the API.
//
// run.go is the story of a simulation. What is made is planned in size.go and spelled out in objects.go; watch.go knows how far
// it has come; restart.go and churn.go measure; report.go says what came out.
package benchmark
