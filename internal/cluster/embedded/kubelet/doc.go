// Package kubelet is a simulated node: it registers itself, keeps its Lease, runs the pods that the scheduler bound to it, and
// reports how they are, in the words of https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/. It keeps to what
// kubectl, controllers and the scheduler can see of a kubelet; what it leaves out is listed in docs/embedded.md.
package kubelet
