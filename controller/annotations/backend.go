package annotations

import (
	"fmt"
	"strings"
)

// balancing lists how endpoints are chosen.
var balancing = []Entry{
	{Name: "load-balance", Group: "balancing", Support: Supported, Values: "round_robin, ewma, least_conn", Default: "round_robin",
		Note: "how an endpoint is picked: in turn, by latency, or by requests in flight",
		read: choice(func(o *Options) *LoadBalance { return &o.Backend.LoadBalance },
			map[string]LoadBalance{"round_robin": RoundRobin, "ewma": EWMA, "least_conn": LeastConn})},
	{Name: "upstream-hash-by", Group: "balancing", Support: Supported, Values: "text; variables",
		Note: "picks the endpoint by a hash of it; comes before load-balance", read: template(checkText, func(o *Options) *Template { return &o.Backend.HashBy })},
	{Name: "upstream-hash-by-subset", Group: "balancing", With: "upstream-hash-by", Idle: []string{"false"}, Note: "the hash picks an endpoint, not a group of them"},
	{Name: "upstream-hash-by-subset-size", Group: "balancing", With: "upstream-hash-by", Note: "the hash picks an endpoint, not a group of them"},
	{Name: "service-upstream", Group: "balancing", Support: Supported, Values: "true, false", Default: "false",
		Note: "sends requests to the Service's cluster address in place of its pods", read: boolean(func(o *Options) *bool { return &o.Backend.ServiceUpstream })},
}

// backendTLS lists in which protocol, and how safely, endpoints are spoken to. What goes wrong here closes the route: a request
// must not go out in the clear, or to somebody unverified, that was meant to go another way.
var backendTLS = []Entry{
	{Name: "backend-protocol", Group: "back-ends", Support: Supported, Values: "HTTP, HTTPS, GRPC, GRPCS, AUTO_HTTP", Default: "HTTP", Idle: []string{""},
		Note: "what endpoints speak; AUTO_HTTP is HTTP; FCGI is not supported and closes the route", read: readProtocol},
	{Name: "proxy-ssl-secret", Group: "back-ends", Support: Supported, With: "backend-protocol", Values: "name or namespace/name of a Secret",
		Note: "the CA (ca.crt) that endpoints are verified against, and the certificate (tls.crt, tls.key) shown to them",
		read: reference(func(o *Options) *string { return &o.Backend.TLS.Secret })},
	{Name: "proxy-ssl-verify", Group: "back-ends", Support: Supported, With: "backend-protocol", Values: "on, off", Default: "off", Idle: []string{""},
		Note: "whether endpoints' certificates are verified; wants proxy-ssl-secret", read: onOff(func(o *Options) *bool { return &o.Backend.TLS.Verify })},
	{Name: "proxy-ssl-verify-depth", Group: "back-ends", Support: Supported, With: "backend-protocol", Values: "1 to 100", Default: "1", Idle: []string{"", "0"},
		Note: "how many CAs may stand between the endpoint's certificate and the one in the Secret", read: number(1, 100, func(o *Options) *int { return &o.Backend.TLS.Depth })},
	{Name: "proxy-ssl-name", Group: "back-ends", Support: Supported, With: "backend-protocol", Values: "a host name", Default: "service.namespace.svc", Idle: []string{""},
		Note: "the name to look for in their certificate", read: readBackendName},
	{Name: "proxy-ssl-server-name", Group: "back-ends", Support: Supported, With: "backend-protocol", Values: "on, off", Default: "off", Idle: []string{""},
		Note: "whether that name is sent in the handshake", read: onOff(func(o *Options) *bool { return &o.Backend.TLS.ServerName })},
	{Name: "proxy-ssl-ciphers", Group: "back-ends", With: "backend-protocol", Note: "the ciphers are those of Go's crypto/tls, all of them with forward secrecy"},
	{Name: "proxy-ssl-protocols", Group: "back-ends", With: "backend-protocol", Note: "endpoints are spoken to in TLS 1.2 or 1.3"},
	{Name: "fastcgi-index", Group: "back-ends", With: "backend-protocol", Note: "FastCGI is not supported"},
	{Name: "fastcgi-params-configmap", Group: "back-ends", With: "backend-protocol", Note: "FastCGI is not supported"},
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

// settleBackend closes a route that is to verify endpoints and does not say against what.
func (r *reading) settleBackend() {
	b := r.o.Backend
	if b.Protocol.TLS() && b.TLS.Verify && b.TLS.Secret == "" {
		r.require("proxy-ssl-verify", "proxy-ssl-secret", "there is no CA to verify endpoints against")
	}
}
