package controller

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// Config has the command-line flags of a controller. DefaultConfig returns the defaults.
type Config struct {
	// ControllerClass is the spec.controller of our IngressClasses (--controller-class).
	ControllerClass string
	// IngressClass is our value of the annotation kubernetes.io/ingress.class. If it is empty, the
	// controller ignores the annotation (--ingress-class).
	IngressClass string
	// WatchIngressWithoutClass also serves Ingresses without a class
	// (--watch-ingress-without-class).
	WatchIngressWithoutClass bool
	// WatchNamespace is the only namespace to watch, or empty for all (--watch-namespace).
	WatchNamespace string
	// ConfigMap is the ConfigMap with the controller's settings, if any (--configmap).
	ConfigMap types.NamespacedName
	// DefaultCertificate is the Secret with the certificate for hosts without a certificate from an
	// Ingress. If it is zero, that certificate is self-signed (--default-ssl-certificate).
	DefaultCertificate types.NamespacedName
	// AllowExternalName sends requests to the names in Services of type ExternalName
	// (--allow-external-name).
	AllowExternalName bool
	// DefaultBackend is the Service for unmatched requests. If it is zero, they get a 404
	// (--default-backend-service).
	DefaultBackend routing.ServicePort

	// BindAddress is the address to listen on, or empty for all IPv4 and IPv6 (--bind-address).
	BindAddress string
	// The ports to listen on, 0 to 65535. 0 selects a free port, for tests (--http-port,
	// --https-port, --status-port, --metrics-port).
	HTTPPort, HTTPSPort, StatusPort, MetricsPort int

	// Admission serves the API server's reviews of Ingresses on AdmissionPort (0 to 65535). Port 0
	// selects a free port (--admission, --admission-port).
	Admission     bool
	AdmissionPort int
	// AdmissionConfiguration is the ValidatingWebhookConfiguration that gets our certificate.
	// AdmissionService is the Service in our namespace that it calls (--admission-configuration,
	// --admission-service).
	AdmissionConfiguration, AdmissionService string

	// PublishService is the Service whose address is published in the status of Ingresses
	// (--publish-service).
	PublishService types.NamespacedName
	// PublishStatusAddress are IP addresses or host names to publish instead
	// (--publish-status-address). With neither, the controller publishes the addresses of the nodes
	// that run a ready controller pod.
	PublishStatusAddress []string
	// ElectionID is the name of the Lease. Only its holder writes status and Events
	// (--election-id).
	ElectionID string
	// LeaseDuration is how long the Lease is valid without renewal, at least 1 s
	// (--lease-duration).
	LeaseDuration time.Duration

	// ShutdownGrace is how long to serve after the stop signal, so that load balancers notice it
	// (--shutdown-grace).
	ShutdownGrace time.Duration
	// ShutdownTimeout is how long requests can continue after that (--shutdown-timeout).
	ShutdownTimeout time.Duration
	// ExplainHeader adds X-Ingresslab-* headers, which explain responses (--explain-header).
	ExplainHeader bool
	// AccessLog is the format of the access log: "json", "combined", or "off" (--access-log). The
	// ConfigMap key access-log-format takes precedence.
	AccessLog string

	// PodName and PodNamespace identify our own pod. They come from the downward API (POD_NAME,
	// POD_NAMESPACE). PodName is empty outside a cluster.
	PodName, PodNamespace string
}

// DefaultConfig returns the values for a production installation.
func DefaultConfig() Config {
	return Config{
		ControllerClass: "ingresslab.dev/ingress-controller",
		IngressClass:    "ingresslab",
		HTTPPort:        80,
		HTTPSPort:       443,
		StatusPort:      18080,
		MetricsPort:     10254,
		AdmissionPort:   8443,

		AdmissionConfiguration: "ingresslab",
		AdmissionService:       "ingress-controller-admission",

		ElectionID:      "ingresslab-leader",
		LeaseDuration:   15 * time.Second,
		ShutdownGrace:   5 * time.Second,
		ShutdownTimeout: 20 * time.Second,
		AccessLog:       "json",
		PodNamespace:    "default",
	}
}

// Validate returns an error for the first invalid value: one line that starts with the flag.
func (c Config) Validate() error {
	for _, check := range []func() error{c.validateNames, c.validatePorts, c.validateStatus, c.validateTimes} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) validateNames() error {
	if _, ok := proxy.ParseLogFormat(c.AccessLog); !ok {
		return fmt.Errorf("--access-log: %q is not one of json, combined, off", c.AccessLog)
	}
	if c.ControllerClass == "" || strings.ContainsAny(c.ControllerClass, " \t\n") {
		return fmt.Errorf("--controller-class: %q is not a controller name for spec.controller of an IngressClass", c.ControllerClass)
	}
	if messages := validation.IsDNS1123Subdomain(c.AdmissionConfiguration); len(messages) > 0 {
		return fmt.Errorf("--admission-configuration: %q is not the name of a ValidatingWebhookConfiguration: %s", c.AdmissionConfiguration,
			messages[0])
	}
	if messages := validation.IsDNS1035Label(c.AdmissionService); len(messages) > 0 {
		return fmt.Errorf("--admission-service: %q is not the name of a Service: %s", c.AdmissionService, messages[0])
	}
	if c.WatchNamespace != "" {
		if messages := validation.IsDNS1123Label(c.WatchNamespace); len(messages) > 0 {
			return fmt.Errorf("--watch-namespace: %q is not the name of a namespace: %s", c.WatchNamespace, messages[0])
		}
	}
	if messages := validation.IsDNS1123Subdomain(c.ElectionID); len(messages) > 0 {
		return fmt.Errorf("--election-id: %q is not the name of a Lease: %s", c.ElectionID, messages[0])
	}
	if messages := validation.IsDNS1123Label(c.PodNamespace); len(messages) > 0 {
		return fmt.Errorf("environment variable POD_NAMESPACE: %q is not the name of a namespace: %s", c.PodNamespace, messages[0])
	}
	return nil
}

func (c Config) validatePorts() error {
	if c.BindAddress != "" {
		if _, err := netip.ParseAddr(c.BindAddress); err != nil {
			return fmt.Errorf("--bind-address: %q is not an IP address", c.BindAddress)
		}
	}
	type port struct {
		flag   string
		number int
	}
	ports := []port{
		{"--http-port", c.HTTPPort}, {"--https-port", c.HTTPSPort},
		{"--status-port", c.StatusPort}, {"--metrics-port", c.MetricsPort},
	}
	if c.Admission {
		ports = append(ports, port{"--admission-port", c.AdmissionPort})
	}
	used := map[int]string{}
	for _, port := range ports {
		if port.number < 0 || port.number > 65535 {
			return fmt.Errorf("%s: %d is not a port (0 to 65535)", port.flag, port.number)
		}
		if other := used[port.number]; other != "" && port.number != 0 {
			return fmt.Errorf("%s: %d is already the value of %s", port.flag, port.number, other)
		}
		used[port.number] = port.flag
	}
	return nil
}

func (c Config) validateStatus() error {
	if c.PublishService.Name != "" && len(c.PublishStatusAddress) > 0 {
		return fmt.Errorf("--publish-service: cannot be combined with --publish-status-address")
	}
	for _, address := range c.PublishStatusAddress {
		if _, err := netip.ParseAddr(address); err == nil {
			continue
		}
		// A last label with only digits is a mistyped address: no top-level domain is numeric (RFC
		// 3696, 2).
		last := address[strings.LastIndexByte(address, '.')+1:]
		if len(validation.IsDNS1123Subdomain(address)) > 0 || strings.Trim(last, "0123456789") == "" {
			return fmt.Errorf("--publish-status-address: %q is neither an IP address nor a host name", address)
		}
	}
	return nil
}

func (c Config) validateTimes() error {
	if c.LeaseDuration < time.Second {
		return fmt.Errorf("--lease-duration: %s is less than 1s", c.LeaseDuration)
	}
	if c.ShutdownGrace < 0 {
		return fmt.Errorf("--shutdown-grace: %s is negative", c.ShutdownGrace)
	}
	if c.ShutdownTimeout < 0 {
		return fmt.Errorf("--shutdown-timeout: %s is negative", c.ShutdownTimeout)
	}
	return nil
}
