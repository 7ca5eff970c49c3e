package routing

import (
	"strconv"
	"strings"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// Cause is one kind of Reason. Its name and the names of its arguments are part of the status
// page's API.
type Cause struct {
	// name is in CamelCase. code is the Code of its Problems, or empty if it has none.
	name, code string
	// text is the sentence: {x} stands for the argument x, and {x:q} for x in quotes.
	text string
}

// String returns the name: "ServiceNotFound".
func (c *Cause) String() string {
	if c == nil {
		return ""
	}
	return c.name
}

// Reason is a cause with its arguments: the names of objects, fields, and values. Reasons are
// comparable.
type Reason struct {
	Cause *Cause
	// args has alternating names and values, separated by NUL.
	args string
}

// Because returns a Reason. args has alternating names and values.
func Because(cause *Cause, args ...string) Reason {
	return Reason{cause, strings.Join(args, "\x00")}
}

// consequence is an optional argument of every cause. Its value ends the sentence.
const consequence = "consequence"

// so returns r with a text as its consequence.
func (r Reason) so(text string) Reason {
	return Reason{r.Cause, strings.TrimPrefix(r.args+"\x00"+consequence+"\x00"+text, "\x00")}
}

// is reports whether r is not zero.
func (r Reason) is() bool { return r.Cause != nil }

// Args returns the arguments by name, or nil if there are none.
func (r Reason) Args() map[string]string {
	if r.args == "" {
		return nil
	}
	all, list := map[string]string{}, strings.Split(r.args, "\x00")
	for i := 0; i+1 < len(list); i += 2 {
		all[list[i]] = list[i+1]
	}
	return all
}

// String returns the sentence of the cause with the arguments.
func (r Reason) String() string {
	if !r.is() {
		return ""
	}
	args := r.Args()
	var b strings.Builder
	for text := r.Cause.text; text != ""; {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		if plain, quoted := strings.CutSuffix(name, ":q"); quoted {
			b.WriteString(strconv.Quote(args[plain]))
		} else {
			b.WriteString(args[name])
		}
		text = after
	}
	if args[consequence] != "" {
		b.WriteString("; " + args[consequence])
	}
	return b.String()
}

// Causes of annotations and settings. Their sentences come from package annotations.
var (
	AnnotationNotSupported = &Cause{"AnnotationNotSupported", annotations.CodeNotSupported, "{text}"}
	AnnotationInvalid      = &Cause{"AnnotationInvalid", annotations.CodeInvalid, "{text}"}
	AnnotationBlocked      = &Cause{"AnnotationBlocked", annotations.CodeBlocked, "{text}"}
)

// reported turns a Diagnostic of package annotations into a Reason.
func reported(f annotations.Diagnostic) Reason {
	cause := AnnotationInvalid
	switch f.Code {
	case annotations.CodeNotSupported:
		cause = AnnotationNotSupported
	case annotations.CodeBlocked:
		cause = AnnotationBlocked
	}
	return Because(cause, "name", f.Name, "requires", f.Requires, "text", f.Reason)
}

// Causes of rules that are not served.
var (
	IngressEmpty     = &Cause{"IngressEmpty", CodeEmptyIngress, "the Ingress has neither rules nor a defaultBackend"}
	RuleWithoutPaths = &Cause{"RuleWithoutPaths", CodeRuleWithoutPaths,
		"the rule has no paths, and the Ingress has no defaultBackend to serve its host"}
	HostIsAddress       = &Cause{"HostIsAddress", CodeInvalidHost, "{host:q} is an IP address; a host must be a DNS name"}
	HostWildcardInvalid = &Cause{"HostWildcardInvalid", CodeInvalidHost,
		`{host:q} is not a host: an asterisk must be the whole first label of a DNS name, as in "*.shop.test"`}
	HostNotDNSName = &Cause{"HostNotDNSName", CodeInvalidHost, "{host:q} is not a host: a DNS name has labels of letters, " +
		"digits, and inner hyphens, and no port"}
	HostWithoutCertificate = &Cause{"HostWithoutCertificate", CodeInvalidHost, "{host:q} is not a host that a certificate can be for"}
	PathTypeUnknown        = &Cause{"PathTypeUnknown", CodeInvalidPath, "pathType {type:q} is not Exact, Prefix, or ImplementationSpecific"}
	PathWithoutSlash       = &Cause{"PathWithoutSlash", CodeInvalidPath, "{path:q} does not start with a slash"}
	PathMalformed          = &Cause{"PathMalformed", CodeInvalidPath, "{text}"}
	PathEmptyElement       = &Cause{"PathEmptyElement", CodeInvalidPath, "{path:q} contains an empty element (//)"}
	PathEncodedSlash       = &Cause{"PathEncodedSlash", CodeInvalidPath, "{path:q} contains an encoded slash or a backslash"}
	PathDotSegment         = &Cause{"PathDotSegment", CodeInvalidPath, "{path:q} contains a dot segment; the controller refuses requests " +
		"with dot segments"}
	PatternWithoutSlash = &Cause{"PatternWithoutSlash", CodeInvalidPattern, "{path:q} does not start with a slash"}
	PatternInvalid      = &Cause{"PatternInvalid", CodeInvalidPattern, "{path:q} is not a regular expression in RE2 syntax: {error}"}
	PathLooksLikeRegex  = &Cause{"PathLooksLikeRegex", CodePathLooksLikeRegex,
		"{path:q} is matched literally; a Prefix already matches everything below it, " +
			"and annotation " + annotations.Prefix + `use-regex "true" makes it a regular expression`}
	RuleTwice         = &Cause{"RuleTwice", CodeHostPathConflict, "{rule} of {host} is not served: {by} of the same Ingress has {winner}"}
	RuleTakenByLonger = &Cause{"RuleTakenByLonger", CodeHostPathConflict,
		"{rule} of {host} is not served: ingress {by} has {winner}, which is longer and matches the same"}
	RuleTakenByOlder = &Cause{"RuleTakenByOlder", CodeHostPathConflict,
		"{rule} of {host} is not served: ingress {by} has {winner} and is older, or comes first by name"}
	DefaultBackendTaken = &Cause{"DefaultBackendTaken", CodeDefaultBackendConflict,
		"it is not served as {place}: ingress {by} has that place, and is older, or comes first by name"}
	AliasHasRules     = &Cause{"AliasHasRules", CodeAliasConflict, "host {alias} has rules of its own, so it cannot be an alias of {host}"}
	AliasTaken        = &Cause{"AliasTaken", CodeAliasConflict, "host {alias} is already an alias of {host}"}
	CanaryHostUnknown = &Cause{"CanaryHostUnknown", CodeCanaryWithoutMain, canaryWithoutMain}
	CanaryPathUnknown = &Cause{"CanaryPathUnknown", CodeCanaryWithoutMain, canaryWithoutMain}
	CanaryTwice       = &Cause{"CanaryTwice", CodeHostPathConflict, "{by} of the same Ingress is already a canary of {rule}"}
	ClientTLSTaken    = &Cause{"ClientTLSTaken", CodeClientTLSConflict, "ingress {by} decides how clients of {host} are verified: it is " +
		"older, or comes first by name"}
)

const canaryWithoutMain = "no main Ingress has a rule for {rule}; a canary needs one with the same host, path, and pathType"

// Causes of backends without endpoints.
var (
	BackendNotService = &Cause{"BackendNotService", CodeBackendNotService, "{kind} {name:q} cannot be a backend; only a Service can"}
	BackendEmpty      = &Cause{"BackendEmpty", CodeBackendNotService, "the backend has no service"}
	ServiceNotFound   = &Cause{"ServiceNotFound", CodeServiceNotFound, "service {service:q} not found"}
	PortNotFound      = &Cause{"PortNotFound", CodePortNotFound, "service {service:q} has no TCP port {port}; it has {ports}"}
	ServiceExternal   = &Cause{"ServiceExternal", CodeExternalName, "service {service:q} is an ExternalName; the controller needs " +
		"--allow-external-name to send requests to it"}
	ServiceHeadless    = &Cause{"ServiceHeadless", CodeNoServiceAddress, "service {service:q} is headless and has no cluster IP"}
	ClusterIPRefused   = &Cause{"ClusterIPRefused", CodeNoServiceAddress, "service {service:q}: its address {address} is " + neverServes}
	AddressTypeUnknown = &Cause{"AddressTypeUnknown", CodeAddressRefused, "{type:q} is not supported; endpoints must be IPv4 or IPv6 " +
		"addresses"}
	AddressMissing     = &Cause{"AddressMissing", CodeAddressRefused, "the endpoint has no address"}
	AddressInvalid     = &Cause{"AddressInvalid", CodeAddressRefused, "{address:q} is not an IP address"}
	AddressOtherFamily = &Cause{"AddressOtherFamily", CodeAddressRefused, "{address} is not an {type} address"}
	AddressRefused     = &Cause{"AddressRefused", CodeAddressRefused, "{address} is " + neverServes}
)

const neverServes = "a loopback, link-local, unspecified, or multicast address"

// Causes of invalid references, and of invalid Secrets and ConfigMaps.
var (
	ReferenceLoading   = &Cause{"ReferenceLoading", "", "{kind} {name:q} is being loaded"}
	ReferenceNotFound  = &Cause{"ReferenceNotFound", CodeReferenceNotFound, "{kind} {name:q} not found"}
	ReferenceInvalid   = &Cause{"ReferenceInvalid", CodeReferenceInvalid, "{name:q} is neither NAME nor NAMESPACE/NAME"}
	ReferenceForbidden = &Cause{"ReferenceForbidden", CodeCrossNamespace,
		"{name:q} is in another namespace; the ConfigMap key allow-cross-namespace-resources can allow that"}
	SecretKeyMissing = &Cause{"SecretKeyMissing", CodeSecretInvalid, "secret {secret:q} has no {key}"}
	KeyPairInvalid   = &Cause{"KeyPairInvalid", CodeSecretInvalid, "secret {secret:q}: {error}"}
	UsersKeyMissing  = &Cause{"UsersKeyMissing", CodeSecretInvalid, "secret {secret:q} has no key {key} with the users; if each key " +
		"is a user, set auth-secret-type: auth-map"}
	UsersEmpty         = &Cause{"UsersEmpty", CodeSecretInvalid, "secret {secret:q} has no user who can log in"}
	UserInvalid        = &Cause{"UserInvalid", CodeUserInvalid, "secret {secret:q}: {where}: {error}"}
	RevocationList     = &Cause{"RevocationList", CodeSecretInvalid, "secret {secret:q} has a ca.crl; revocation lists are not supported"}
	AuthorityInvalid   = &Cause{"AuthorityInvalid", CodeSecretInvalid, "secret {secret:q}: certificate {number} of ca.crt: {error}"}
	AuthorityMissing   = &Cause{"AuthorityMissing", CodeSecretInvalid, "secret {secret:q} has no certificate in ca.crt"}
	BackendTLSEmpty    = &Cause{"BackendTLSEmpty", CodeSecretInvalid, "secret {secret:q} has neither a ca.crt nor a tls.crt with its tls.key"}
	BackendTLSRootless = &Cause{"BackendTLSRootless", CodeSecretInvalid, "no CA verifies the endpoints' certificates; proxy-ssl-secret " +
		"must name a Secret with a ca.crt"}
	HeadersInvalid      = &Cause{"HeadersInvalid", CodeHeaderInvalid, "{text}"}
	CertificateMismatch = &Cause{"CertificateMismatch", CodeCertificateName,
		"the certificate in secret {secret:q} is for {names}, not for {host}"}
	CertificateTaken = &Cause{"CertificateTaken", CodeCertificateConflict,
		"{host} uses the certificate of secret {secret}: ingress {by} asks for that one, and is older, or comes first by name"}
)

// Causes in an explanation: why a candidate won or lost.
var (
	BestMatch          = &Cause{"BestMatch", "", "it matches best"}
	FirstDefault       = &Cause{"FirstDefault", "", "no rule matches, and it is the first default backend"}
	OtherHost          = &Cause{"OtherHost", "", "{host} matches the request, so no other host is considered"}
	PathUnmatched      = &Cause{"PathUnmatched", "", "{rule} does not match {path}"}
	LessSpecific       = &Cause{"LessSpecific", "", "it matches, but {winner} is longer or more exact"}
	LaterPattern       = &Cause{"LaterPattern", "", "it matches, but {winner} comes first among paths of the same length"}
	LaterDefault       = &Cause{"LaterDefault", "", "{winner} comes before it"}
	NoEndpoints        = &Cause{"NoEndpoints", "", "it has no endpoint: {text}"}
	NotForwarded       = &Cause{"NotForwarded", "", "the request is not forwarded to the rule's backend"}
	CanaryChosen       = &Cause{"CanaryChosen", "", "{text}"}
	CanaryTerminating  = &Cause{"CanaryTerminating", "", "all its pods are terminating"}
	AffinityElsewhere  = &Cause{"AffinityElsewhere", "", "the client's affinity cookie names a pod elsewhere"}
	HeaderSaysNever    = &Cause{"HeaderSaysNever", "", "header {header} says never"}
	CookieSaysNever    = &Cause{"CookieSaysNever", "", "cookie {cookie} says never"}
	OtherCanary        = &Cause{"OtherCanary", "", "canary {by} was chosen before it"}
	RandomValueOutside = &Cause{"RandomValueOutside", "", "nothing chooses it, and the random value {value} is not between {from} and {to}"}
)

// Causes why the controller does not serve an Ingress.
var (
	ClassMissing = &Cause{"ClassMissing", "", "the Ingress has no class"}
	ClassUnknown = &Cause{"ClassUnknown", "", "IngressClass {class:q} not found"}
	ClassForeign = &Cause{"ClassForeign", "", "IngressClass {class:q} belongs to {controller}"}
)
