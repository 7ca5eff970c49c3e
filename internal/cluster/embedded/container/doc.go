// Package container runs processes as containers, and keeps the images they are started from. It is what a container
// runtime is to a kubelet, for a machine that has none: namespaces (mount, process, host name; the network is given), a root
// directory made of the image's files, mounts, a log file, signals and exec. Nothing limits memory or CPU.
//
// Images come from archives in the format of `docker save`; any image for this machine's architecture will run.
package container
