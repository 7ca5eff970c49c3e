// Package embedded makes clusters without a container engine: the control plane is the real one, as processes of this
// machine, and only the nodes are simulated.
//
// A cluster is one process, the supervisor, and what it starts. The supervisor is process 1 of a process namespace, with a
// network and a mount namespace of its own (and a user namespace, unless it is root): when it ends, however it ends, the
// kernel ends everything in the cluster with it, and nothing is left on the machine but files in the state directory.
//
// What to read, in this order:
//
//	provider.go    Up, Down, Get: how the supervisor is started, found and ended
//	supervisor/    the whole story inside, on one page
//	controlplane/  etcd and the three programs of Kubernetes: certificates, arguments, readiness
//	network/       a network namespace for every node and every pod, and the routes between them
//	container/     images, and processes that are containers: root directory, mounts, logs, exec
//	podspec/       what a pod's manifest means for its containers: environment, volumes, tokens
//	kubelet/       a node: registers itself, runs the pods that are bound to it, reports how they are
//	nodeapi/       the node's HTTPS API: kubectl logs, exec and port-forward
//	service/       virtual addresses, node ports and cluster DNS
//	carry/         the bytes of a connection, from one network to another
package embedded
