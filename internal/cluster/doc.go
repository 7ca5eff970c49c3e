// Package cluster says what a lab needs of a Kubernetes cluster: a [Provider]
// that brings one up and takes it down, and the [Cluster] it hands out, which
// carries everything the rest of the lab may know about it: how to talk to the
// API server, at which addresses the ingress answers, and what it can do.
//
// Read provider.go first. The providers are subpackages: kind makes real
// clusters out of containers. Nothing here knows what a lab or a scenario is.
package cluster
