// Package virtual simulates nodes with more pods than a machine can run. Virtual pods are Ready in
// the API but have no processes.
//
// A Node object with the label ingresslab.dev/virtual=true is a virtual node; internal/benchmark
// creates them. This package is the kubelet of all virtual nodes. It renews their Leases. It assigns
// each pod an address in network.Virtual, reports the pod as running and Ready, and removes a
// deleted pod. The control plane treats such pods like all others: kube-scheduler binds them, and
// the EndpointSlice controller lists them.
//
// The hub has every address in network.Virtual. One HTTP server answers on Port for all of them,
// and returns the requested address.
//
// Read kubelet.go first, then node.go, pod.go, addresses.go and server.go.
package virtual
