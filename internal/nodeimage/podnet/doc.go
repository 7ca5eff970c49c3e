// Package podnet is the pod network of a node image that is built without a registry: the
// smallest thing that satisfies the Kubernetes network model
// (https://kubernetes.io/docs/concepts/services-networking/#the-kubernetes-network-model)
// on nodes that share one link, as kind's do.
//
// One daemon a node does three things, all derived from the Node objects:
//
//   - it writes the CNI configuration for the node's own pod range (conflist.go), which
//     also makes the node Ready;
//   - it keeps one route for each other node's pod range, by way of that node's internal
//     address (route.go);
//   - it masquerades what pods send out of the cluster (masquerade.go), because nobody
//     out there has a route back to a pod.
//
// Read peer.go first: everything else is a pure function of a list of peers. daemon.go
// waits for changes and applies the result; nodes.go is where they come from; host_linux.go is the only file that touches
// the kernel.
package podnet
