// Package supervisor is what runs inside an embedded cluster as process 1: it brings up the network, the control plane, the
// nodes and the Services, opens the cluster's ports on this machine, and then waits. supervisor.go is the whole story;
// request.go is how the provider and the supervisor talk.
//
// Nothing of it needs a helper outside. The listeners of this machine are inherited: a socket stays in the network namespace
// it was made in (network_namespaces(7)), so process 1 accepts out there and dials in here.
package supervisor
