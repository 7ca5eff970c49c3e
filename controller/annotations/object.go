package annotations

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// reference makes the reader of an object's name, with or without its namespace: "name" or "namespace/name".
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

// service makes the reader of the name of a Service in the Ingress's own namespace.
func service(field func(*Options) *string) reader {
	return func(o *Options, value string) error {
		if len(validation.IsDNS1123Label(value)) > 0 {
			return fmt.Errorf("%q is not the name of a Service", value)
		}
		*field(o) = value
		return nil
	}
}

// isHostName says whether value, in lower case, is a host as the rules of an Ingress may have it; with "*." in front only if
// wildcards are allowed.
func isHostName(value string, wildcards bool) bool {
	if wildcards && strings.HasPrefix(value, "*.") {
		return len(validation.IsWildcardDNS1123Subdomain(value)) == 0
	}
	return len(validation.IsDNS1123Subdomain(value)) == 0
}
