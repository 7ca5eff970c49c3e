// Package podspec turns what a pod's manifest says about a container into what a container runtime needs: the environment
// with the downward API and the variables of Services, the command with $(VAR) replaced, the files of ConfigMap, Secret,
// projected, downward API and emptyDir volumes, and the mounts. It reads the API and writes files below the pod's directory;
// it starts nothing.
package podspec
