package diagnosis

import (
	"regexp"
	"slices"
	"strings"
)

// Finding is one thing that is wrong.
type Finding struct {
	// Code says what sort of fault it is; Codes lists them.
	Code string `json:"code"`
	// Object has the fault, as kind/name: "ingress/cheddar".
	Object string `json:"object"`
	// Field is where in the object, as kubectl explain writes it: "spec.rules[0].host"; empty if it is not a field.
	Field string `json:"field,omitempty"`
	// Expected and Observed are what the field would have to be and what it is, as far as that can be said.
	Expected string `json:"expected,omitempty"`
	Observed string `json:"observed,omitempty"`
	// Text is a sentence for a student, which names object and field.
	Text string `json:"text"`
}

// The codes of findings, in the order in which a person would mend them: what has to be there before anything else counts comes
// first.
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
	AnnotationUnknown       = "annotation-unknown"
	AnnotationInvalid       = "annotation-invalid"
	CanaryWithoutMain       = "canary-without-main"
	CanaryHostDiffers       = "canary-host-differs"
	ConfigMapInvalid        = "configmap-invalid"
	// ControllerSays is a warning of the controller itself, given when nothing else explains what is seen.
	ControllerSays = "controller-says"
)

// Codes lists the codes, in that order.
func Codes() []string {
	return []string{
		IngressMissing, ClassMissing, ClassUnknown, ClassForeign, DeploymentMissing, HostUnmatched, PathTypeExact, PathUnmatched, RuleTaken,
		ServiceMissing, ServiceWrong, DefaultBackendMissing, PortNameIsService, PortNameMissing, ServicePortMissing, ScaledToZero,
		SelectorMatchesNothing, ImageMissing, PodsNotReady, TargetPortClosed, EndpointsNone, NodePortMissing, SecretMissing, SecretTypeWrong,
		SecretKeyMissing, CertificateInvalid, CertificateHostMismatch, AuthFileInvalid, AnnotationUnknown, AnnotationInvalid, CanaryWithoutMain,
		CanaryHostDiffers, ConfigMapInvalid, ControllerSays,
	}
}

// About says what is asked of the cluster, so that it can be compared with what is there.
type About struct {
	// Requests are those that do not arrive.
	Requests []Request
	// Objects are what else has to be there, as kind/name in lower case: "deployment/cheddar".
	Objects []string
	// OtherHosts are hosts that others ask for, rightly: a rule for one of them is not a misspelled one.
	OtherHosts []string
	// NodePorts are the ports that nodes have to answer on.
	NodePorts []int32
}

// Request is one request, and what it should meet.
type Request struct {
	// Host is without a port, Path as in the request line; "/" if it is empty.
	Host, Path string
	// TLS says that the request comes over TLS.
	TLS bool
	// Service is the name of the Service that should answer; empty if that is not known.
	Service string
	// ByDefault says that no rule should match, and the default back-end of an Ingress answer.
	ByDefault bool
	// Canary says that the Service is one that a canary sends a share of the requests to.
	Canary bool
	// Status is that of the answer there was; 0 if it is not known.
	Status int
}

// Diagnose compares what is asked with what is there. The findings come in the order of Codes, each fault once. It is pure.
func Diagnose(s Snapshot, about About) []Finding {
	d := &diagnosis{Snapshot: s, about: about}
	d.index()
	d.named()
	for _, r := range about.Requests {
		if r.Path == "" {
			r.Path = "/"
		}
		d.request(r)
	}
	d.nodePorts()
	d.ingresses()
	d.configMap()
	d.sort()
	if len(d.found) == 0 {
		d.controllerSays()
	}
	return d.found
}

// diagnosis is the state of one Diagnose.
type diagnosis struct {
	Snapshot
	about About
	// ours are the names of the classes that are the controller's.
	ours  []string
	found []Finding
}

func (d *diagnosis) add(f Finding) {
	same := func(o Finding) bool { return o.Code == f.Code && o.Object == f.Object && o.Field == f.Field }
	if !slices.ContainsFunc(d.found, same) {
		d.found = append(d.found, f)
	}
}

func (d *diagnosis) sort() {
	order := Codes()
	slices.SortStableFunc(d.found, func(a, b Finding) int { return slices.Index(order, a.Code) - slices.Index(order, b.Code) })
}

// controllerSays passes on what the controller has said of the Ingresses and Services, the newest last.
func (d *diagnosis) controllerSays() {
	for _, e := range d.Events {
		kind := strings.ToLower(e.InvolvedObject.Kind)
		if e.Type != "Warning" || kind != "ingress" && kind != "service" && kind != "secret" && kind != "configmap" || d.isPast(e.Reason, e.Message) {
			continue
		}
		object := kind + "/" + e.InvolvedObject.Name
		d.add(Finding{Code: ControllerSays, Object: object, Observed: e.Message, Text: object + ": the controller says " + e.Reason + ": " + e.Message})
	}
}

// missed is how the controller says that a Service or Secret is not there.
var missed = regexp.MustCompile(`\b(service|secret) "([^"/]+)" not found`)

// isPast tells whether a warning misses an object that is there by now, or is about the names of a certificate, which tlsEntries has
// judged: Events outlive what they tell of.
func (d *diagnosis) isPast(reason, message string) bool {
	if reason == "CertificateName" {
		return true
	}
	m := missed.FindStringSubmatch(message)
	return m != nil && (m[1] == "service" && d.hasService(m[2]) || m[1] == "secret" && d.secret(m[2]) != nil)
}
