// Package container runs processes as containers, and keeps the images they are started from. It is what a container
// runtime is to a kubelet, for a machine that has none: namespaces (mount, process, host name; the network is given), a root
// directory made of the image's files, mounts, a log file, signals and exec. Nothing limits memory or CPU.
//
// Images come from archives in the format of `docker save`; any image for this machine's architecture will run.
//
// What to read, in this order:
//
//	container.go, image.go   what others see of it
//	store.go                 images on disk; import.go, unpack.go, merge.go and sweep.go fill and empty it
//	lease.go                 why files that a container uses stay
//	runtime_linux.go         from a Spec to an order; starter_linux.go and process_linux.go give it to a child
//	child_linux.go           the child, which becomes the program; build_linux.go, root_linux.go, mount_linux.go and
//	                         identity_linux.go make its machine and its user
//	instance_linux.go        a container that runs; exec_linux.go and attach_linux.go beside it
//
// A program's orphans go to the first process of their container, also those of commands that were executed in it: the
// program this package is part of never sees them (pid_namespaces(7)), and needs to wait for none.
package container
