// Package relay hands the bytes of connections from one network to another: from a port of this machine to the cluster's
// own network, from a virtual address to an endpoint, from a host port to a pod.
package relay
