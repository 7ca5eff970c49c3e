// Package existing lends the lab a cluster that is there: a context of the user's kubeconfig, wherever its API server is.
//
// The lab is a guest in it. It installs the controller in a namespace of its own, gives every lab and every scenario another,
// and changes nothing that does not carry its labels: no node, no default class, no Service that costs money. Where the API
// server is not this machine the user is asked before the first change. Down removes what carries the labels.
//
// Read provider.go, then admit.go for what keeps it from doing harm, and forward.go for how the ingress is reached.
package existing
