package diagnosis

import (
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
	// Text is a whole sentence for a student, which names object and field.
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
	// ControllerSays is a warning of the controller itself, given when nothing else explains what is seen.
	ControllerSays = "controller-says"
)

// Codes lists the codes, in that order.
func Codes() []string {
	return []string{
		IngressMissing, ClassMissing, ClassUnknown, ClassForeign, DeploymentMissing, HostUnmatched, PathTypeExact, PathUnmatched, RuleTaken,
		RuleUnwanted, ServiceMissing, ServiceWrong, DefaultBackendMissing, PortNameIsService, PortNameMissing, ServicePortMissing, ScaledToZero,
		SelectorMatchesNothing, ImageMissing, PodsNotReady, TargetPortClosed, EndpointsNone, NodePortMissing, SecretMissing, SecretTypeWrong,
		SecretKeyMissing, CertificateInvalid, CertificateHostMismatch, AuthFileInvalid, UserMissing, AnnotationUnknown, AnnotationInvalid, CanaryWithoutMain,
		CanaryHostDiffers, ConfigMapInvalid, ControllerSays,
	}
}

// About says what is asked of the cluster, so that it can be compared with what is there.
type About struct {
	// Requests are those that do not arrive.
	Requests []Request
	// Objects are what else has to be there, as kind/name in lower case: "deployment/cheddar".
	Objects []string
	// Calls are what pods ask Services for, by their names, and do not get.
	Calls []Call
	// OtherHosts are hosts that others ask for, rightly: a rule for one of them is not a misspelled one. Others are their requests, as
	// far as they are known: a rule for one of the hosts that leads to a Service which none of them names may be misspelled all the same.
	OtherHosts []string
	Others     []Request
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
	// Nobody says that no rule and no default back-end should take it: the controller itself has to say 404.
	Nobody bool
	// User is whose password comes with it; empty if none does.
	User string
	// Status is that of the answer there was; 0 if it is not known.
	Status int
}

// Call is a request to a Service inside of the cluster, past the controller.
type Call struct {
	Service string
	Port    int32
	// Failed says that there was no answer.
	Failed bool
}

// Diagnose compares what is asked with what is there. The findings come in the order of Codes, each fault once. It is pure.
func Diagnose(s Snapshot, about About) []Finding {
	d := &diagnosis{Snapshot: s, about: about}
	d.index()
	d.named()
	for _, c := range about.Calls {
		d.call(c)
	}
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
	for i := range d.found {
		d.found[i].Text = sentence(d.found[i].Text)
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

// sentence gives a text a capital letter to begin and a full stop to end with, unless it ends with a mark of its own.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if !strings.ContainsAny(text[len(text)-1:], ".?!") {
		text += "."
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
