package routing

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Snapshot is the input of Build: the objects of one moment, in any order. Build does not change
// them, so they can come from an informer cache.
type Snapshot struct {
	Ingresses      []*networkingv1.Ingress
	IngressClasses []*networkingv1.IngressClass
	Services       []*corev1.Service
	EndpointSlices []*discoveryv1.EndpointSlice
	// Secrets and ConfigMaps are those in Table.References of the table before.
	Secrets    []*corev1.Secret
	ConfigMaps []*corev1.ConfigMap
	// Loading are the references that are still being loaded. Such an object is no Problem. Until
	// it is loaded, it counts as missing, so the routes that need it for security are blocked.
	Loading References
}

// Options has the controller's flags for routing.
type Options struct {
	// ControllerClass is the spec.controller of our IngressClasses, for example
	// "ingresslab.dev/ingress-controller".
	ControllerClass string
	// IngressClass is the value of the annotation kubernetes.io/ingress.class for our Ingresses.
	// Empty: none is ours.
	IngressClass string
	// WatchIngressWithoutClass also serves Ingresses without a class.
	WatchIngressWithoutClass bool
	// DefaultBackend is the Service for unmatched requests. Zero: the built-in 404.
	DefaultBackend ServicePort
	// ConfigMap is that of the controller, with its Settings; zero: there is none (--configmap).
	ConfigMap types.NamespacedName
	// DefaultCertificate is the Secret of the default certificate; zero: a self-signed one
	// (--default-ssl-certificate).
	DefaultCertificate types.NamespacedName
	// AllowExternalName sends requests to the external names of ExternalName Services
	// (--allow-external-name).
	AllowExternalName bool
}

// ServicePort is one port of one Service, as in an Ingress backend.
type ServicePort struct {
	Service types.NamespacedName
	// Port is the Service port by name or number (networking.k8s.io/v1 ServiceBackendPort); zero:
	// the Service's only or first port.
	Port networkingv1.ServiceBackendPort
}
