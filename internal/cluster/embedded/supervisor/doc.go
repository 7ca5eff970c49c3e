// Package supervisor is PID 1 of an embedded cluster. It starts the network, the control plane, the
// nodes and the Services, serves the port mappings, and waits. Read supervisor.go first. request.go
// defines the messages between the provider and the supervisor.
//
// The supervisor needs no helper process outside its namespaces. It inherits the listeners on the
// machine: a socket stays in the network namespace where it was created (network_namespaces(7)).
// PID 1 accepts connections on the machine and dials in the cluster.
package supervisor
