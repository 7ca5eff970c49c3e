package routing

import (
	"cmp"
	"fmt"
	"slices"
)

// Codes of the Problems that Build finds. Package annotations has the codes for annotations.
const (
	// CodeEmptyIngress is an Ingress that has neither rules nor a default backend.
	CodeEmptyIngress = "EmptyIngress"
	// CodeInvalidHost and CodeInvalidPath are rules that no request could match. Build adds no
	// route for them.
	CodeInvalidHost = "InvalidHost"
	CodeInvalidPath = "InvalidPath"
	// CodePathLooksLikeRegex is a path that looks like a regular expression and is matched
	// literally.
	CodePathLooksLikeRegex = "PathLooksLikeRegex"
	// CodeRuleWithoutPaths is a rule without paths in an Ingress without a default backend.
	CodeRuleWithoutPaths = "RuleWithoutPaths"
	// CodeHostPathConflict and CodeDefaultBackendConflict are rules that lose to those of another
	// Ingress.
	CodeHostPathConflict       = "HostPathConflict"
	CodeDefaultBackendConflict = "DefaultBackendConflict"
	// CodeReferenceNotFound, CodeReferenceInvalid and CodeCrossNamespace are references to Secrets
	// and ConfigMaps that cannot be used.
	CodeReferenceNotFound = "ReferenceNotFound"
	CodeReferenceInvalid  = "ReferenceInvalid"
	CodeCrossNamespace    = "CrossNamespace"
	// CodeSecretInvalid is a Secret with missing or invalid content. CodeUserInvalid is an invalid
	// user in a Secret, and CodeHeaderInvalid is an invalid header in a ConfigMap.
	CodeSecretInvalid = "SecretInvalid"
	CodeUserInvalid   = "UserInvalid"
	CodeHeaderInvalid = "HeaderInvalid"
	// CodeCertificateName is a host that is not in its certificate. CodeCertificateConflict is a
	// host for which another Ingress sets a different certificate.
	CodeCertificateName     = "CertificateName"
	CodeCertificateConflict = "CertificateConflict"
	// CodeClientTLSConflict is an Ingress whose client verification for a host differs from that of
	// an older one.
	CodeClientTLSConflict = "ClientTLSConflict"
	// CodeInvalidPattern is a path that is no valid regular expression. Build adds no route.
	CodeInvalidPattern = "InvalidPattern"
	// CodeCanaryWithoutMain is a canary without a main route; it gets no requests.
	CodeCanaryWithoutMain = "CanaryWithoutMain"
	// CodeAliasConflict is an alias that is already the name of another host.
	CodeAliasConflict = "AliasConflict"
	// CodeBackendNotService is a backend without a Service; its route responds with 503.
	CodeBackendNotService = "BackendNotService"
	// CodeServiceNotFound, CodePortNotFound and CodeExternalName are Services whose endpoints
	// cannot be found; the routes respond with 503.
	CodeServiceNotFound = "ServiceNotFound"
	CodePortNotFound    = "PortNotFound"
	CodeExternalName    = "ExternalName"
	// CodeNoServiceAddress is a Service with service-upstream and without a cluster IP.
	CodeNoServiceAddress = "NoServiceAddress"
	// CodeAddressRefused is an address in an EndpointSlice that gets no requests.
	CodeAddressRefused = "AddressRefused"
)

// Problem is an error in one object. The valid parts of the object are still served. Its Reason
// tells the author what is wrong, and often how to fix it.
type Problem struct {
	// Object is the object with the error. Events refer to it.
	Object ObjectRef
	// Field is the path in the object: "spec.rules[0].http.paths[0].backend.service.port".
	Field string
	// Code is a CamelCase word for Events and metrics: "ServiceNotFound", "HostPathConflict".
	Code string
	// Reason is the cause with its arguments. The sentence does not repeat the object or the field.
	Reason Reason
}

// ObjectRef names an object of the Kubernetes API.
type ObjectRef struct {
	Kind, Namespace, Name, UID string
}

// String returns `Ingress shop/web: spec.rules[0].host: reason`.
func (p Problem) String() string {
	return fmt.Sprintf("%s %s/%s: %s: %s", p.Object.Kind, p.Object.Namespace, p.Object.Name, p.Field, p.Reason)
}

// problems collects the Problems of a build.
type problems struct{ list []Problem }

func (p *problems) add(object ObjectRef, field string, reason Reason) {
	p.list = append(p.list, Problem{Object: object, Field: field, Code: reason.Cause.code, Reason: reason})
}

// sorted returns the Problems without duplicates, in an order that does not depend on the snapshot.
// Duplicates occur because each port of a Service reports an invalid EndpointSlice.
func (p *problems) sorted() []Problem {
	slices.SortFunc(p.list, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Object.Kind, b.Object.Kind),
			cmp.Compare(a.Object.Namespace, b.Object.Namespace),
			cmp.Compare(a.Object.Name, b.Object.Name),
			cmp.Compare(a.Field, b.Field),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Reason.String(), b.Reason.String()),
		)
	})
	return slices.Compact(p.list)
}
