package workload

import (
	"cmp"
	"os"
	"strings"
)

// The headers that identify the pod.
const (
	HeaderServedBy = "X-Served-By" // Identity.ServedBy
	HeaderApp      = "X-App"       // the name of the app, such as cheddar or backend-1
)

// namespaceFile contains the pod's namespace if the service account token is mounted.
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Identity identifies the pod of this process.
type Identity struct {
	Namespace string // empty if unknown
	Pod       string // the host name without POD_NAME
	Node      string // empty without NODE_NAME
}

// ServedBy returns the value of HeaderServedBy. An unknown namespace is "-", which is no valid name.
func (id Identity) ServedBy() string {
	return cmp.Or(id.Namespace, "-") + "/" + id.Pod
}

// Surroundings are the sources of an Identity.
type Surroundings struct {
	Getenv   func(name string) string
	Hostname func() (string, error)
	ReadFile func(path string) ([]byte, error)
}

// HostSurroundings returns the sources of the operating system.
func HostSurroundings() Surroundings {
	return Surroundings{Getenv: os.Getenv, Hostname: os.Hostname, ReadFile: os.ReadFile}
}

// Identify returns the pod of this process. Unknown fields stay empty, so that a workload also runs outside a cluster.
func Identify(from Surroundings) Identity {
	id := Identity{Namespace: from.Getenv("POD_NAMESPACE"), Pod: from.Getenv("POD_NAME"), Node: from.Getenv("NODE_NAME")}
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
