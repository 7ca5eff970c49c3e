// Package virtual lets a cluster have more pods than a machine could run: pods that are Ready in the API and have no process.
//
// A Node object with the label ingresslab.dev/virtual=true is a virtual node. Whoever makes it (see internal/simulate) decides
// how many there are; this package plays the kubelet for all of them at once: it keeps their Leases, gives every pod that is
// bound to them an address of network.Virtual, says that it runs and is Ready, and lets go of it as soon as it is deleted. All
// that the control plane does with such pods is real: the scheduler places them, the EndpointSlice controller lists them.
//
// Every address of that range is the hub's own, so one server answers for all of them, at Port, and says which was reached.
//
// Read kubelet.go first, then node.go, pod.go, addresses.go and server.go.
package virtual
