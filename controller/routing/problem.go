package routing

import "fmt"

// Problem is something wrong with an object that the good rest does not suffer from. Its Reason is written for
// the author of the object: what is wrong, and where it helps, what would be right.
type Problem struct {
	// Object is what is at fault; Events go to it.
	Object ObjectRef
	// Field is the path in the object: "spec.rules[0].http.paths[0].backend.service.port".
	Field string
	// Code is a CamelCase word for Events and metrics: "ServiceNotFound", "HostPathConflict".
	Code string
	// Reason is a sentence without the object and the field.
	Reason string
}

// ObjectRef names an object of the Kubernetes API.
type ObjectRef struct {
	Kind, Namespace, Name, UID string
}

// String gives `Ingress shop/web: spec.rules[0].host: reason`.
func (p Problem) String() string {
	return fmt.Sprintf("%s %s/%s: %s: %s", p.Object.Kind, p.Object.Namespace, p.Object.Name, p.Field, p.Reason)
}
