// Package podspec translates a container in a pod's manifest into a container.Spec: environment
// variables, command, mounts, and the files of its volumes. It reads the API and writes files to
// the pod's directory. It starts nothing.
package podspec
