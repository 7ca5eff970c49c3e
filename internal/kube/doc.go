// Package kube is the lab's Kubernetes API client. It decodes manifests, with line numbers in errors. It applies and deletes objects
// as `kubectl apply --server-side` does. It waits until objects are ready, and reports what is missing.
//
// Read client.go for the operations and ready.go for the meaning of "ready". The package does not know clusters, labs, or scenarios.
package kube
