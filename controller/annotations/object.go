package annotations

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// reference returns a reader for the name of an object: "name" or "namespace/name".
func reference(field func(*Options) *string) reader {
	return func(o *Options, value string) error {
		namespace, name, found := strings.Cut(value, "/")
		if !found {
			namespace, name = "default", value
		}
		if len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(name)) > 0 {
			return fmt.Errorf("%q is neither a name nor namespace/name", value)
		}
		*field(o) = value
		return nil
	}
}

// service returns a reader for the name of a Service in the namespace of the Ingress.
func service(field func(*Options) *string) reader {
	return func(o *Options, value string) error {
		if len(validation.IsDNS1123Label(value)) > 0 {
			return fmt.Errorf("%q is not the name of a Service", value)
		}
		*field(o) = value
		return nil
	}
}

// isHostName reports whether value, in lower case, is a valid host for a rule. It can start with
// "*." only if wildcards is set.
func isHostName(value string, wildcards bool) bool {
	if wildcards && strings.HasPrefix(value, "*.") {
		return len(validation.IsWildcardDNS1123Subdomain(value)) == 0
	}
	return len(validation.IsDNS1123Subdomain(value)) == 0
}
