// Package nodeimage provides the one image that a kind cluster is made of, where no image
// registry can be reached as well as where one can.
//
// Ensure looks for an image in this order and stops at the first:
//
//  1. the image that this checkout describes, built here before and still in Docker;
//  2. the node image that the linked version of kind pins, if Docker has it;
//  3. the same, pulled, if a registry answers within seconds;
//  4. the image that this checkout describes, built from Go modules and Debian packages.
//
// What goes into a built image is its Recipe. The digest of the recipe is the image's tag,
// so an image is rebuilt exactly when something that goes into it changed. The build is a
// list of stages, each of which leaves one directory in the cache under the digest of its
// own inputs: a build that was interrupted goes on where it stopped.
//
// Read nodeimage.go first (the order above), then recipe.go (what goes in), build.go (the
// stages, one line each) and pipeline.go (how stages run and resume). One file for each
// stage follows: rootfs.go, gobuild.go, contentstore.go, nodelayer.go. Package podnet is
// the pod network of a built image; modules/ holds one Go module for each component, apart
// from the project's own, so that nobody who builds the CLI compiles Kubernetes.
package nodeimage
