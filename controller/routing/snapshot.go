package routing

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Snapshot is everything that Build looks at: the objects of one moment, in any order. Build reads them and
// changes none, so they may come straight from an informer's cache.
type Snapshot struct {
	Ingresses      []*networkingv1.Ingress
	IngressClasses []*networkingv1.IngressClass
	Services       []*corev1.Service
	EndpointSlices []*discoveryv1.EndpointSlice
	// Secrets and ConfigMaps are those that the Table before referred to (Table.References).
	Secrets    []*corev1.Secret
	ConfigMaps []*corev1.ConfigMap
	// Loading are the references that nobody has looked for yet. An object in neither list that is Loading is no Problem: it
	// may be there in a moment. Until then, what needs it stays as if it were missing: a route that it protects is closed.
	Loading References
}

// Options is what the controller's flags say about routing.
type Options struct {
	// ControllerClass is the spec.controller of the IngressClasses that are ours, for example
	// "ingresslab.dev/ingress-controller".
	ControllerClass string
	// IngressClass is the value of the annotation kubernetes.io/ingress.class that is ours. Empty: none is.
	IngressClass string
	// WatchIngressWithoutClass also takes Ingresses that name no class at all.
	WatchIngressWithoutClass bool
	// DefaultBackend is the Service that answers what no Ingress claims. Zero: the built-in 404.
	DefaultBackend ServicePort
	// ConfigMap is the controller's own, with its Settings; zero: there is none (--configmap).
	ConfigMap types.NamespacedName
	// DefaultCertificate is the Secret of the certificate for names that no other one is for; zero: a self-signed one
	// (--default-ssl-certificate).
	DefaultCertificate types.NamespacedName
	// AllowExternalName sends requests to the names that Services of type ExternalName stand for (--allow-external-name).
	AllowExternalName bool
}

// ServicePort names one port of one Service, the way an Ingress back-end does.
type ServicePort struct {
	Service types.NamespacedName
	// Port is the Service port by name or number (networking.k8s.io/v1 ServiceBackendPort); zero: the Service's only or first port.
	Port networkingv1.ServiceBackendPort
}
