// Package nodeimage provides the node image of kind clusters, with or without an image registry.
//
// Ensure uses the first of these images:
//
//  1. the image of this checkout's recipe, if it was built before and is still in Docker;
//  2. the node image that the linked version of kind pins, if Docker has it;
//  3. the same image from a registry, if one answers within seconds;
//  4. the image of this checkout's recipe, built from Go modules and Debian packages.
//
// The Recipe lists the inputs of a built image. Its digest is the image's tag, so a change of an
// input causes a new build. A build is a list of stages. Each stage leaves a directory in the
// cache, named by the digest of the stage's inputs, so an interrupted build resumes.
//
// Read nodeimage.go first (the order above), then recipe.go (the inputs), build.go (the stages) and
// pipeline.go (run and resume stages). One file for each stage follows: rootfs.go, gobuild.go,
// contentstore.go, nodelayer.go. Package podnet is the pod network of a built image. modules/ has
// one Go module for each component, so that a build of the CLI does not compile Kubernetes.
package nodeimage
