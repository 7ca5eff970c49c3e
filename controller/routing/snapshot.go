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
	// Secrets and ConfigMaps are the objects in Table.References of the previous table.
	Secrets    []*corev1.Secret
	ConfigMaps []*corev1.ConfigMap
	// Loading are the references to objects that are still being loaded. They cause no Problem, but
	// count as missing, so the routes that need them for security are blocked.
	Loading References
}

// Options has the controller's flags for routing.
type Options struct {
	// ControllerClass is the spec.controller of our IngressClasses, for example
	// "ingresslab.dev/ingress-controller".
	ControllerClass string
	// IngressClass is the value of the annotation kubernetes.io/ingress.class for our Ingresses. If
	// it is empty, the controller ignores the annotation.
	IngressClass string
	// WatchIngressWithoutClass also serves Ingresses without a class.
	WatchIngressWithoutClass bool
	// DefaultBackend is the Service for unmatched requests. If it is zero, they get a 404.
	DefaultBackend ServicePort
	// ConfigMap is the ConfigMap with the Settings, or zero if there is none (--configmap).
	ConfigMap types.NamespacedName
	// DefaultCertificate is the Secret of the default certificate. If it is zero, the default
	// certificate is self-signed (--default-ssl-certificate).
	DefaultCertificate types.NamespacedName
	// AllowExternalName sends requests to the external names of ExternalName Services
	// (--allow-external-name).
	AllowExternalName bool
}

// ServicePort is one port of one Service, as in an Ingress backend.
type ServicePort struct {
	Service types.NamespacedName
	// Port is the Service port by name or number (networking.k8s.io/v1 ServiceBackendPort); If it
	// is zero, it is the Service's first port.
	Port networkingv1.ServiceBackendPort
}
