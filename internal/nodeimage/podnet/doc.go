// Package podnet is the pod network of a built node image. It implements the Kubernetes network
// model (https://kubernetes.io/docs/concepts/services-networking/#the-kubernetes-network-model) for
// nodes on one link, as in kind.
//
// On each node, a daemon watches the Node objects and does three things:
//
//   - it writes the CNI configuration for the node's pod range, which makes the node Ready (conflist.go);
//   - it adds a route to the pod range of each other node, through that node's internal address (peer.go);
//   - it masquerades packets from pods that leave the cluster, which has no route back to a pod
//     (masquerade.go).
//
// Read peer.go first. All files except daemon.go and host_linux.go contain pure functions of a list
// of peers. daemon.go watches the nodes and applies the result. host_linux.go uses the kernel.
package podnet
