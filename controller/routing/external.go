package routing

import (
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// A Service of type ExternalName is an alias for a name outside the cluster, without pods:
// https://kubernetes.io/docs/concepts/services-networking/service/#externalname. A user who can
// create Services could use one to make the controller send requests to any name that it can
// resolve. So they are refused unless --allow-external-name is set. Even with the flag, the proxy
// dials no loopback, link-local, multicast, or cloud metadata address.

// externalPort finds the port of an ExternalName Service. If the Service lists no ports, the number
// in the Ingress is the port.
func externalPort(svc *corev1.Service, want ServicePort) (corev1.ServicePort, *fault) {
	if port, flt := listedPort(svc, want); flt == nil {
		if port.TargetPort.Type == intstr.Int && port.TargetPort.IntVal > 0 {
			port.Port = port.TargetPort.IntVal
		}
		return port, nil
	} else if want.Port.Number <= 0 {
		return corev1.ServicePort{}, flt
	}
	return corev1.ServicePort{Port: want.Port.Number}, nil
}

// fillExternal makes the external name the only endpoint of a pool.
func fillExternal(pool *Pool, svc *corev1.Service, port corev1.ServicePort) {
	name := strings.TrimSuffix(lowerASCII(svc.Spec.ExternalName), ".")
	if len(validation.IsDNS1123Subdomain(name)) > 0 || port.Port > 65535 {
		pool.Reason = fmt.Sprintf("service %q has the external name %q, which is not a DNS name", svc.Name, svc.Spec.ExternalName)
		return
	}
	pool.Endpoints = []Endpoint{{Name: name, Address: netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port.Port))}}
}
