// Package deploy brings a cluster to the state from which every lab and every
// scenario starts: the cluster is up, the images are on its nodes, the
// controller is installed and the ingress answers.
//
// Read up.go first: it is the whole story in one list. The controller is
// installed from the same manifests that a user applies by hand
// (manifests/kind); only the image's tag is replaced, by one that changes with
// the image, so that a new build is rolled out and an old one is left alone.
package deploy
