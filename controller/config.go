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

// Config is what a controller is told on its command line. DefaultConfig gives the values that hold when nothing is said.
type Config struct {
	// ControllerClass is the spec.controller of the IngressClasses that are ours (--controller-class).
	ControllerClass string
	// IngressClass is the value of the annotation kubernetes.io/ingress.class that is ours; empty: none (--ingress-class).
	IngressClass string
	// WatchIngressWithoutClass also serves Ingresses that name no class (--watch-ingress-without-class).
	WatchIngressWithoutClass bool
	// WatchNamespace limits the view to one namespace; empty: all (--watch-namespace).
	WatchNamespace string
	// ConfigMap is the one with the controller's settings; zero: there is none (--configmap).
	ConfigMap types.NamespacedName
	// DefaultCertificate is the Secret of the certificate for names that no Ingress has one for; zero: a self-signed one
	// (--default-ssl-certificate).
	DefaultCertificate types.NamespacedName
	// AllowExternalName sends requests to the names that Services of type ExternalName stand for (--allow-external-name).
	AllowExternalName bool
	// DefaultBackend is the Service that answers what no Ingress claims; zero: a 404 of our own
	// (--default-backend-service).
	DefaultBackend routing.ServicePort

	// BindAddress is the address to listen on; empty: all of them, IPv4 and IPv6 (--bind-address).
	BindAddress string
	// The ports to listen on, 0 to 65535; 0 means any free one, for tests (--http-port, --https-port, --status-port,
	// --metrics-port).
	HTTPPort, HTTPSPort, StatusPort, MetricsPort int

	// Admission answers the API server's reviews of Ingresses on AdmissionPort, 0 to 65535 with 0 for any free one
	// (--admission, --admission-port).
	Admission     bool
	AdmissionPort int
	// AdmissionConfiguration is the ValidatingWebhookConfiguration that our certificate is registered in, and AdmissionService
	// the Service of our namespace that it leads to (--admission-configuration, --admission-service).
	AdmissionConfiguration, AdmissionService string

	// PublishService is the Service whose address goes into the status of Ingresses (--publish-service).
	PublishService types.NamespacedName
	// PublishStatusAddress are IP addresses or host names to put there instead (--publish-status-address). With neither,
	// it is the addresses of the nodes that run a ready controller pod.
	PublishStatusAddress []string
	// ElectionID is the name of the Lease whose holder writes status and Events (--election-id).
	ElectionID string
	// LeaseDuration is how long that Lease holds when its holder falls silent; at least 1 s (--lease-duration).
	LeaseDuration time.Duration

	// ShutdownGrace is how long to go on serving after the signal to stop, so that whoever sends traffic learns of it
	// (--shutdown-grace).
	ShutdownGrace time.Duration
	// ShutdownTimeout is how long requests that are still in flight then have to end (--shutdown-timeout).
	ShutdownTimeout time.Duration
	// ExplainHeader adds X-Ingresslab-* headers to responses that say how they came about (--explain-header).
	ExplainHeader bool
	// AccessLog is the format of the log of requests: "json", "combined" or "off" (--access-log). The ConfigMap's
	// access-log-format comes before it.
	AccessLog string

	// PodName and PodNamespace are our own pod, from the downward API (POD_NAME, POD_NAMESPACE). PodName may be empty
	// outside a cluster.
	PodName, PodNamespace string
}

// DefaultConfig gives the values of a production installation.
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

// Validate finds the first value that cannot work. The error is one line that begins with the flag.
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
		return fmt.Errorf("--access-log: %q is none of json, combined, off", c.AccessLog)
	}
	if c.ControllerClass == "" || strings.ContainsAny(c.ControllerClass, " \t\n") {
		return fmt.Errorf("--controller-class: %q is not the name of a controller, as in spec.controller of an IngressClass", c.ControllerClass)
	}
	if faults := validation.IsDNS1123Subdomain(c.AdmissionConfiguration); len(faults) > 0 {
		return fmt.Errorf("--admission-configuration: %q is not the name of a ValidatingWebhookConfiguration: %s", c.AdmissionConfiguration, faults[0])
	}
	if faults := validation.IsDNS1035Label(c.AdmissionService); len(faults) > 0 {
		return fmt.Errorf("--admission-service: %q is not the name of a Service: %s", c.AdmissionService, faults[0])
	}
	if c.WatchNamespace != "" {
		if faults := validation.IsDNS1123Label(c.WatchNamespace); len(faults) > 0 {
			return fmt.Errorf("--watch-namespace: %q is not the name of a namespace: %s", c.WatchNamespace, faults[0])
		}
	}
	if faults := validation.IsDNS1123Subdomain(c.ElectionID); len(faults) > 0 {
		return fmt.Errorf("--election-id: %q is not the name of a Lease: %s", c.ElectionID, faults[0])
	}
	if faults := validation.IsDNS1123Label(c.PodNamespace); len(faults) > 0 {
		return fmt.Errorf("environment variable POD_NAMESPACE: %q is not the name of a namespace: %s", c.PodNamespace, faults[0])
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
	taken := map[int]string{}
	for _, port := range ports {
		if port.number < 0 || port.number > 65535 {
			return fmt.Errorf("%s: %d is not a port (0 to 65535)", port.flag, port.number)
		}
		if other := taken[port.number]; other != "" && port.number != 0 {
			return fmt.Errorf("%s: %d is already the value of %s", port.flag, port.number, other)
		}
		taken[port.number] = port.flag
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
		// A last label of digits alone is a mistyped address: no top-level domain is one (RFC 3696, 2).
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
