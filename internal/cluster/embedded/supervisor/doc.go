// Package supervisor is what runs inside an embedded cluster as process 1: it brings up the network, the control plane, the
// nodes and the Services, opens the cluster's ports on this machine, and then waits. supervisor.go is the whole story.
package supervisor
