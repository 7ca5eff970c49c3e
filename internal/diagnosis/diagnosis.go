package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// Finding is one fault, with what the task expects.
type Finding struct {
	// Code is one of Codes.
	Code string `json:"code"`
	// Object has the fault: "ingress/cheddar".
	Object string `json:"object"`
	// Field is the field with the fault, such as "spec.rules[0].host". It can be empty.
	Field string `json:"field,omitempty"`
	// Expected and Observed are values of the field. An empty one is unknown.
	Expected string `json:"expected,omitempty"`
	Observed string `json:"observed,omitempty"`
	// Text is a sentence for a student. It names the object.
	Text string `json:"text"`
}

// The codes of findings. hints.yaml has their order and their hints.
const (
	IngressMissing          = "ingress-missing"
	ClassMissing            = "class-missing"
	ClassUnknown            = "class-unknown"
	ClassForeign            = "class-foreign"
	DeploymentMissing       = "deployment-missing"
	HostUnmatched           = "host-unmatched"
	PathTypeExact           = "path-type-exact"
	PathUnmatched           = "path-unmatched"
	RuleTaken               = "rule-taken"
	RuleUnwanted            = "rule-unwanted"
	ServiceMissing          = "service-missing"
	ServiceWrong            = "service-wrong"
	DefaultBackendMissing   = "default-backend-missing"
	PortNameIsService       = "port-name-is-service"
	PortNameMissing         = "port-name-missing"
	ServicePortMissing      = "service-port-missing"
	ScaledToZero            = "scaled-to-zero"
	SelectorMatchesNothing  = "selector-matches-nothing"
	ImageMissing            = "image-missing"
	PodsNotReady            = "pods-not-ready"
	TargetPortClosed        = "target-port-closed"
	EndpointsNone           = "endpoints-none"
	NodePortMissing         = "node-port-missing"
	SecretMissing           = "secret-missing"
	SecretTypeWrong         = "secret-type-wrong"
	SecretKeyMissing        = "secret-key-missing"
	CertificateInvalid      = "certificate-invalid"
	CertificateHostMismatch = "certificate-host-mismatch"
	AuthFileInvalid         = "auth-file-invalid"
	UserMissing             = "user-missing"
	AnnotationUnknown       = "annotation-unknown"
	AnnotationInvalid       = "annotation-invalid"
	CanaryWithoutMain       = "canary-without-main"
	CanaryHostDiffers       = "canary-host-differs"
	ConfigMapInvalid        = "configmap-invalid"
	// ControllerSays is a warning of the controller, for faults without a code.
	ControllerSays = "controller-says"
)

// About is what a task expects of the cluster.
type About struct {
	Requests []Request // Requests are those that do not get the expected response
	// Objects must exist. They are written kind/name in lower case: "deployment/cheddar".
	Objects []string
	// Calls are requests that pods send to Services by name, without the expected response.
	Calls []Call
	// OtherHosts are the hosts that other tasks expect: a rule for one of them is not misspelled.
	// Others are the requests of these tasks, as far as they are known: a rule for such a host with
	// a Service that none of them expects can be misspelled.
	OtherHosts []string
	Others     []Request
	NodePorts  []int32 // NodePorts are the ports that nodes must listen on
}

// isOthersHost reports whether other tasks expect a host.
func (a About) isOthersHost(host string) bool {
	return slices.ContainsFunc(a.OtherHosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// Request is one request, and the expected result.
type Request struct {
	Host, Path string // Host has no port. Path is the path in the request line; empty means "/".
	TLS        bool   // TLS is set for a request over TLS
	// Service is the name of the Service that should serve the request. It is empty if unknown.
	Service string
	// ByDefault is set if the default backend of an Ingress should serve the request.
	ByDefault bool
	Canary    bool // Canary is set if Service gets its requests from a canary
	// Unserved is set if no rule and no default backend should serve the request, so that the
	// controller responds with 404.
	Unserved bool
	User     string // User is the user name that the request sends, or empty
	Status   int    // Status is the status of the response, or 0 if unknown
}

// isFor reports whether the request expects this host.
func (r Request) isFor(host string) bool { return strings.EqualFold(r.Host, host) }

// Call is a request to a Service inside the cluster. It does not go through the controller.
type Call struct {
	Service string
	Port    int32
	Failed  bool // Failed is set if there was no response
}

// Diagnose compares what a task expects with what the cluster has. It is pure. It returns each
// finding once, in the order of Codes.
func Diagnose(s Snapshot, about About) []Finding {
	d := &diagnosis{Snapshot: s, about: about}
	d.about.Requests = slices.Clone(about.Requests)
	for i := range d.about.Requests {
		d.about.Requests[i].Path = cmp.Or(d.about.Requests[i].Path, "/")
	}
	d.table, d.problems = d.build(pointers(d.Ingresses))
	d.named()
	for _, c := range about.Calls {
		d.call(c)
	}
	for _, r := range d.about.Requests {
		d.request(r)
	}
	d.nodePorts()
	d.ingresses()
	d.configMap()
	order := Codes()
	slices.SortStableFunc(d.found, func(a, b Finding) int { return slices.Index(order, a.Code) - slices.Index(order, b.Code) })
	if len(d.found) == 0 {
		d.controllerSays()
	}
	for i := range d.found {
		d.found[i].Text = sentence(d.found[i].Text)
	}
	return d.found
}

// diagnosis is the state of one Diagnose.
type diagnosis struct {
	Snapshot
	about About
	// table and problems are the controller's results for the Snapshot.
	table    *routing.Table
	problems []routing.Problem
	found    []Finding
}

// reportf adds a finding. An empty field, expected, or observed is unknown.
func (d *diagnosis) reportf(code, object, field, expected, observed, format string, args ...any) {
	d.add(Finding{code, object, field, expected, observed, fmt.Sprintf(format, args...)})
}

func (d *diagnosis) add(f Finding) {
	same := func(o Finding) bool { return o.Code == f.Code && o.Object == f.Object && o.Field == f.Field }
	if !slices.ContainsFunc(d.found, same) {
		d.found = append(d.found, f)
	}
}

// sentence adds a capital letter and a full stop, unless text ends with a mark of its own.
func sentence(text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	if !strings.ContainsAny(text[len(text)-1:], ".?!") {
		text += "."
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// joined returns "a, b and c", or "nothing".
func joined(list []string) string { return joinedOr(list, "nothing") }

// joinedOr returns "a, b and c", or otherwise if the list is empty.
func joinedOr(list []string, otherwise string) string {
	switch n := len(list); n {
	case 0:
		return otherwise
	case 1:
		return list[0]
	default:
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
}
