// Package image makes the container images of the lab without Docker: it
// compiles the controller and the demo workloads as static Linux binaries,
// packs each into an image with nothing else in it, and loads the images into
// the nodes that lack them.
//
// Read catalog.go for which images there are. The same sources and the same
// Go release give the same image, bit for bit, so an image's digest says
// whether a node is up to date. Compiling needs the Go toolchain and the
// checkout that holds the sources (checkout.go).
package image
