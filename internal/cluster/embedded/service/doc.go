// Package service implements Services: cluster IPs and node ports forward to ready endpoints, and
// DNS names resolve (https://kubernetes.io/docs/reference/networking/virtual-ips/,
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/).
//
// In a real cluster, kube-proxy writes forwarding rules into the kernel of each node. Here, the
// router namespace (the hub) owns all cluster IPs and relays each connection in user space, like
// the old userspace mode of kube-proxy. Two differences are visible. An endpoint sees the hub or
// the node as its client, not the pod. A connection is accepted before its endpoint is dialed, so
// an endpoint that refuses causes a reset.
//
// Read the files in this order:
//
//	service.go    Run: the informers, the DNS server and the queue of changed Services
//	plan.go       PURE: a Service and its EndpointSlices -> frontends and their endpoints
//	balancer.go   select an endpoint for each connection
//	listeners.go  open and close the listeners of all frontends
//	pausable.go   a listener that can pause without closing its connections
//	records.go    PURE: a DNS name -> records, from Services and EndpointSlices
//	dns.go        the DNS server
package service
