package controlplane

// Binaries are the programs of a control plane, ready to run on this machine.
type Binaries struct {
	// Dir holds etcd, kube-apiserver, kube-controller-manager and kube-scheduler.
	Dir string
	// Version is that of Kubernetes, e.g. "v1.36.3".
	Version string
}
