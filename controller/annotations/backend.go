package annotations

import (
	"fmt"
	"strings"
)

// balancing lists the annotations for selecting endpoints.
var balancing = []Entry{
	{Name: "load-balance", Group: "balancing", Support: Supported, Values: "round_robin, ewma, least_conn", Default: "round_robin",
		Note: "how an endpoint is selected: in turn, by latency, or by requests in flight",
		read: choice(func(o *Options) *LoadBalance { return &o.Backend.LoadBalance },
			map[string]LoadBalance{"round_robin": RoundRobin, "ewma": EWMA, "least_conn": LeastConn})},
	{Name: "upstream-hash-by", Group: "balancing", Support: Supported, Values: "text; variables",
		Note: "selects the endpoint by a hash of this text; takes precedence over load-balance",
		read: template(checkText, func(o *Options) *Template { return &o.Backend.HashBy })},
	{Name: "upstream-hash-by-subset", Group: "balancing", With: "upstream-hash-by", Idle: []string{"false"},
		Note: "the hash selects one endpoint, not a subset"},
	{Name: "upstream-hash-by-subset-size", Group: "balancing", With: "upstream-hash-by",
		Note: "the hash selects one endpoint, not a subset"},
	{Name: "service-upstream", Group: "balancing", Support: Supported, Values: "true, false", Default: "false",
		Note: "sends requests to the Service's cluster IP instead of its pods",
		read: boolean(func(o *Options) *bool { return &o.Backend.ServiceUpstream })},
}

// backendTLS lists the annotations for the protocol and TLS to endpoints. Errors block the route,
// so that the controller never sends a request without the requested encryption or verification.
var backendTLS = []Entry{
	{Name: "backend-protocol", Group: "backends", Support: Supported, Values: "HTTP, HTTPS, GRPC, GRPCS, AUTO_HTTP", Default: "HTTP",
		Idle: []string{""},
		Note: "the protocol of the endpoints; AUTO_HTTP is HTTP; FCGI is not supported and blocks the route", read: readProtocol},
	{Name: "proxy-ssl-secret", Group: "backends", Support: Supported, With: "backend-protocol",
		Values: "name or namespace/name of a Secret",
		Note:   "the CA (ca.crt) that verifies endpoints, and the client certificate (tls.crt, tls.key) for them",
		read:   reference(func(o *Options) *string { return &o.Backend.TLS.Secret })},
	{Name: "proxy-ssl-verify", Group: "backends", Support: Supported, With: "backend-protocol", Values: "on, off", Default: "off",
		Idle: []string{""},
		Note: "whether endpoint certificates are verified; requires proxy-ssl-secret",
		read: onOff(func(o *Options) *bool { return &o.Backend.TLS.Verify })},
	{Name: "proxy-ssl-verify-depth", Group: "backends", Support: Supported, With: "backend-protocol", Values: "1 to 100", Default: "1",
		Idle: []string{"", "0"},
		Note: "the maximum number of CAs between the endpoint's certificate and the CA in the Secret",
		read: number(1, 100, func(o *Options) *int { return &o.Backend.TLS.Depth })},
	{Name: "proxy-ssl-name", Group: "backends", Support: Supported, With: "backend-protocol", Values: "a host name",
		Default: "service.namespace.svc",
		Idle:    []string{""},
		Note:    "the expected name in endpoint certificates", read: readBackendName},
	{Name: "proxy-ssl-server-name", Group: "backends", Support: Supported, With: "backend-protocol", Values: "on, off", Default: "off",
		Idle: []string{""},
		Note: "whether the TLS handshake sends that name (SNI)", read: onOff(func(o *Options) *bool { return &o.Backend.TLS.ServerName })},
	{Name: "proxy-ssl-ciphers", Group: "backends", With: "backend-protocol",
		Note: "the ciphers are those of Go's crypto/tls; all of them have forward secrecy"},
	{Name: "proxy-ssl-protocols", Group: "backends", With: "backend-protocol", Note: "the versions are TLS 1.2 and 1.3"},
	{Name: "fastcgi-index", Group: "backends", With: "backend-protocol", Note: "FastCGI is not supported"},
	{Name: "fastcgi-params-configmap", Group: "backends", With: "backend-protocol", Note: "FastCGI is not supported"},
}

func readProtocol(o *Options, value string) error {
	protocols := map[string]Protocol{"HTTP": HTTP, "AUTO_HTTP": HTTP, "HTTPS": HTTPS, "GRPC": GRPC, "GRPCS": GRPCS}
	p, ok := protocols[strings.ToUpper(value)]
	if !ok {
		return fmt.Errorf("%q is not one of HTTP, HTTPS, GRPC, GRPCS, AUTO_HTTP", value)
	}
	o.Backend.Protocol = p
	return nil
}

func readBackendName(o *Options, value string) error {
	name := strings.ToLower(value)
	if !isHostName(name, false) {
		return fmt.Errorf("%q is not a host name", value)
	}
	o.Backend.TLS.Name = name
	return nil
}

// settleBackend blocks the routes of an Ingress with proxy-ssl-verify and without a CA.
func (r *reading) settleBackend() {
	b := r.o.Backend
	if b.Protocol.TLS() && b.TLS.Verify && b.TLS.Secret == "" {
		r.require("proxy-ssl-verify", "proxy-ssl-secret", "no CA is available to verify endpoints")
	}
}
