// Package container is a container runtime for one machine, and its image store. A container has
// mount, PID, UTS, and IPC namespaces, a given network namespace, a root directory from the image's
// layers, mounts, and a log. Memory and CPU have no limits. Images come from `docker save` archives
// for this machine's architecture.
//
// Reading order:
//
//	container.go        the interface
//	store.go            the image store; import.go, unpack.go, merge.go, and sweep.go fill and empty it
//	runtime_linux.go    Host, which starts containers; starter_linux.go and process_linux.go run the child
//	child_linux.go      the child that becomes the program; build_linux.go, root_linux.go, mount_linux.go,
//	                    and identity_linux.go create its environment
//	instance_linux.go   a running container; exec_linux.go adds exec and attach
//
// Orphaned processes become children of their container's PID 1 (pid_namespaces(7)), so the
// supervisor waits only for its own children.
package container
