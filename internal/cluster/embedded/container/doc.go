// Package container is a container runtime for one machine, and its image store. A container has
// mount, PID, UTS, and IPC namespaces, a given network namespace, a root directory from the image's
// layers, mounts, and a log. Memory and CPU have no limits. Images come from `docker save` archives
// for this machine's architecture.
//
// Reading order:
//
//	container.go      the interface
//	store.go          the image store; import.go and unpack.go fill it
//	runtime_linux.go  Host and its containers; starter_linux.go and process_linux.go run children
//	child_linux.go    the child, whose environment build_linux.go and mount_linux.go create
//	exec_linux.go     exec and attach
//
// Orphaned processes become children of their container's PID 1 (pid_namespaces(7)), so the
// supervisor waits only for its own children.
package container
