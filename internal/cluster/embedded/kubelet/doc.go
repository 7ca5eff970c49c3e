// Package kubelet simulates a node: it registers the Node, renews its Lease, runs the pods bound to
// it, and reports their status (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/).
// It does what kubectl, controllers, and the scheduler see of a kubelet. docs/embedded.md lists
// what it omits.
package kubelet
