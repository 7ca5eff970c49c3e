// Package kube is how the lab speaks to a Kubernetes API server: it decodes
// manifests with the line numbers people need, applies and deletes objects the
// way `kubectl apply --server-side` does, and waits until they are ready,
// saying what is missing if they are not.
//
// Read client.go for the operations and ready.go for what "ready" means. The
// package knows Kubernetes and nothing of clusters, labs or scenarios.
package kube
