package workload

import (
	"os"
	"strings"
)

// The headers that say who answered.
const (
	// HeaderServedBy carries Identity.ServedBy.
	HeaderServedBy = "X-Served-By"
	// HeaderApp carries the name of the app, such as cheddar or backend-1.
	HeaderApp = "X-App"
)

// namespaceFile is where a pod finds its namespace without asking for it, unless its service
// account token is not mounted.
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Identity says which pod this process is.
type Identity struct {
	Namespace string // empty if it cannot be known
	Pod       string // the host name if nothing better is known
	Node      string // empty unless NODE_NAME says it
}

// ServedBy is the value of HeaderServedBy. An unknown namespace becomes "-", which no namespace can
// be called.
func (id Identity) ServedBy() string {
	namespace := id.Namespace
	if namespace == "" {
		namespace = "-"
	}
	return namespace + "/" + id.Pod
}

// Surroundings is what a process can ask about where it runs.
type Surroundings struct {
	Getenv   func(name string) string
	Hostname func() (string, error)
	ReadFile func(path string) ([]byte, error)
}

// HostSurroundings asks the operating system.
func HostSurroundings() Surroundings {
	return Surroundings{Getenv: os.Getenv, Hostname: os.Hostname, ReadFile: os.ReadFile}
}

// Identify finds out which pod this process is. It never fails: what cannot be known stays empty,
// and a workload started outside a cluster is still useful.
func Identify(from Surroundings) Identity {
	id := Identity{
		Namespace: from.Getenv("POD_NAMESPACE"),
		Pod:       from.Getenv("POD_NAME"),
		Node:      from.Getenv("NODE_NAME"),
	}
	if id.Pod == "" {
		id.Pod = "unknown"
		if name, err := from.Hostname(); err == nil && name != "" {
			id.Pod = name
		}
	}
	if id.Namespace == "" {
		if data, err := from.ReadFile(namespaceFile); err == nil {
			id.Namespace = strings.TrimSpace(string(data))
		}
	}
	return id
}
