// Package controlplane runs etcd, kube-apiserver, kube-controller-manager and kube-scheduler as child processes: their
// certificates and kubeconfigs, their arguments, when they are ready, and a new start when one of them ends.
package controlplane
