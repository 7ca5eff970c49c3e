// Package controlplane runs etcd, kube-apiserver, kube-controller-manager and kube-scheduler as child processes: their
// certificates and kubeconfigs, their arguments, when they are ready, and a new start when one of them ends.
//
// controlplane.go is the story; etcd.go, apiserver.go and managers.go have the arguments and the reasons for them;
// program.go runs a program and starts it again; authority.go and identity.go make certificates.
package controlplane
