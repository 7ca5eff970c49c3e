// Package service makes Services work: their virtual addresses and node ports lead to ready endpoints, and their names resolve
// (https://kubernetes.io/docs/reference/networking/virtual-ips/,
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/).
//
// A real cluster does the first in the kernel of every node, with rules that kube-proxy writes. Here the hub of the private
// network owns all virtual addresses and carries each connection in user space, as kube-proxy's first mode once did. Two
// things differ for who looks closely: an endpoint sees the hub or the node as its client, not the pod that asked; and a
// connection is accepted before its endpoint is dialed, so one that does not answer is a reset and not a refusal.
//
// What to read, in this order:
//
//	service.go    Run: what is watched, and the one loop that owns all listeners
//	plan.go       PURE: a Service and its EndpointSlices -> where it is reached, and who answers there
//	endpoint.go   PURE: which endpoints are fit to answer
//	backend.go    which of them is next
//	listeners.go  what is open, and what has to be
//	door.go       a listener that can be shut and opened again under the connections it has
//	records.go    PURE: a question -> its answer, from Services and EndpointSlices
//	dns.go        the name server
package service
