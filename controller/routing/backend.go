package routing

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// backends makes one pool for each Service port. All routes to the port share the pool, whether
// they refer to the port by name or by number.
type backends struct {
	services map[types.NamespacedName]*corev1.Service
	slices   map[types.NamespacedName][]*discoveryv1.EndpointSlice
	pools    map[poolKey]*Pool
	found    *problems
	// externalNames is Options.AllowExternalName.
	externalNames bool
}

// poolKey distinguishes a missing port from an existing one: a port can have the name "80" and the
// number 9090.
type poolKey struct {
	service          types.NamespacedName
	port             string
	missing, virtual bool
}

func newBackends(s Snapshot, externalNames bool, found *problems) *backends {
	b := &backends{
		services:      make(map[types.NamespacedName]*corev1.Service, len(s.Services)),
		slices:        make(map[types.NamespacedName][]*discoveryv1.EndpointSlice, len(s.Services)),
		pools:         map[poolKey]*Pool{},
		found:         found,
		externalNames: externalNames,
	}
	for _, svc := range s.Services {
		b.services[types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name}] = svc
	}
	for _, slice := range s.EndpointSlices {
		// A slice belongs to the Service in its label, whatever the name of the slice is:
		// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#ownership.
		service := types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
		b.slices[service] = append(b.slices[service], slice)
	}
	return b
}

// fault says why a Service port cannot be used, for the Problem of the object that refers to it.
type fault struct {
	// field is the faulty field in the backend's service: "name" or "port".
	field  string
	reason Reason
}

// resolve returns the pool of one Service port. If the Service is missing, it returns an empty pool
// and a fault with the reason.
func (b *backends) resolve(want ServicePort) (*Pool, *fault) {
	svc := b.services[want.Service]
	port, flt := b.servicePort(svc, want)
	name := portText(want.Port)
	if flt == nil {
		name = portName(port)
	}
	key := poolKey{service: want.Service, port: name, missing: flt != nil}
	pool := b.pools[key]
	if pool == nil {
		pool = &Pool{Service: want.Service, Port: name}
		if flt != nil {
			pool.Reason = flt.reason.String()
		} else {
			b.fill(pool, svc, port)
		}
		b.pools[key] = pool
	}
	return pool, flt
}

// backendOf returns the pool of the Ingress backend at field. The endpoints are pods, or the
// cluster IP if service-upstream is set.
func (b *builder) backendOf(ing *ingress, field string, want ServicePort) (*Pool, *fault) {
	pool, flt := b.backends.resolve(want)
	if flt != nil || !ing.policy.Backend.ServiceUpstream {
		return pool, flt
	}
	virtual, wrong := b.backends.virtual(want, pool)
	if wrong.is() {
		b.found.add(ing.ref, field+".service", wrong.so("requests go to its pods in spite of service-upstream"))
		return pool, nil
	}
	return virtual, nil
}

// virtual returns the pool whose only endpoint is the cluster IP, where kube-proxy or a mesh
// selects the pod. It is empty if the pool of pods is empty, because a Service without endpoints
// refuses connections anyway. The Reason is set if the Service has no usable cluster IP.
func (b *backends) virtual(want ServicePort, pods *Pool) (*Pool, Reason) {
	svc := b.services[want.Service]
	port, _ := b.servicePort(svc, want) // found before
	addr, err := netip.ParseAddr(svc.Spec.ClusterIP)
	if err != nil || port.Port <= 0 || port.Port > 65535 {
		return nil, Because(ServiceHeadless, "service", svc.Name)
	}
	if neverPod(addr) {
		return nil, Because(ClusterIPRefused, "service", svc.Name, "address", addr.String())
	}
	key := poolKey{service: want.Service, port: pods.Port, virtual: true}
	pool := b.pools[key]
	if pool == nil {
		pool = &Pool{Service: want.Service, Port: pods.Port, Virtual: true, Reason: pods.Reason, Draining: pods.Draining}
		if len(pods.Endpoints) > 0 {
			pool.Endpoints = []Endpoint{{Address: netip.AddrPortFrom(addr, uint16(port.Port))}}
		}
		b.pools[key] = pool
	}
	return pool, Reason{}
}

// servicePort finds the Service port that a backend refers to by name or number. A Service can have
// the same number twice, for TCP and for UDP, as DNS Services do.
func (b *backends) servicePort(svc *corev1.Service, want ServicePort) (corev1.ServicePort, *fault) {
	switch {
	case svc == nil:
		return corev1.ServicePort{}, &fault{"name", Because(ServiceNotFound, "service", want.Service.Name)}
	case svc.Spec.Type != corev1.ServiceTypeExternalName:
		return listedPort(svc, want)
	case b.externalNames:
		return externalPort(svc, want)
	}
	return corev1.ServicePort{}, &fault{"name", Because(ServiceExternal, "service", svc.Name)}
}

// listedPort finds a port in the port list of the Service.
func listedPort(svc *corev1.Service, want ServicePort) (corev1.ServicePort, *fault) {
	for _, p := range svc.Spec.Ports {
		if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
			continue
		}
		byName := want.Port.Name != "" && p.Name == want.Port.Name
		byNumber := want.Port.Name == "" && p.Port == want.Port.Number
		if byName || byNumber || want.Port == (networkingv1.ServiceBackendPort{}) {
			return p, nil
		}
	}
	missing := portText(want.Port)
	if want.Port.Name != "" {
		missing = strconv.Quote(missing)
	}
	return corev1.ServicePort{}, &fault{"port", Because(PortNotFound, "service", svc.Name, "port", missing, "ports", portList(svc.Spec.Ports))}
}

// fill sets the endpoints of a pool, or the reason why it has none.
func (b *backends) fill(pool *Pool, svc *corev1.Service, port corev1.ServicePort) {
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		fillExternal(pool, svc, port)
		return
	}
	first := corev1.IPv4Protocol
	if len(svc.Spec.IPFamilies) > 0 {
		first = svc.Spec.IPFamilies[0]
	}
	list := b.slices[pool.Service]
	all := candidates(list, port, b.found)
	pool.Endpoints, pool.Draining = serving(all, first)
	if len(pool.Endpoints) == 0 {
		pool.Reason = whyEmpty(svc, port, list, len(all))
	}
}

// whyEmpty says why a pool has no endpoint. Clients see no difference, but the fixes differ.
func whyEmpty(svc *corev1.Service, port corev1.ServicePort, list []*discoveryv1.EndpointSlice, unready int) string {
	total := 0
	for _, slice := range list {
		total += len(slice.Endpoints)
	}
	switch {
	case unready > 0:
		return fmt.Sprintf("service %q has no ready endpoint; %d not ready", svc.Name, unready)
	case total == 0 && len(svc.Spec.Selector) == 0:
		return fmt.Sprintf("service %q has no endpoints and no selector; add a selector, or create EndpointSlices for it", svc.Name)
	case total == 0:
		return fmt.Sprintf("service %q has no endpoints; no running pod matches its selector", svc.Name)
	case port.TargetPort.Type == intstr.String:
		return fmt.Sprintf("service %q has endpoints, but none with the target port %q", svc.Name, port.TargetPort.StrVal)
	default:
		return fmt.Sprintf("service %q has endpoints, but none that can be used for port %s", svc.Name, portName(port))
	}
}

// all returns the pools, sorted by Service and port.
func (b *backends) all() []*Pool {
	list := make([]*Pool, 0, len(b.pools))
	for _, p := range b.pools {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *Pool) int {
		if order := compareNames(a.Service, b.Service); order != 0 {
			return order // nearly always; each Key is a new string
		}
		return cmp.Or(strings.Compare(a.Port, b.Port), strings.Compare(a.Key(), b.Key()), strings.Compare(a.Reason, b.Reason))
	})
	return list
}

// portName returns the name of a Service port, or its number if it has no name.
func portName(p corev1.ServicePort) string {
	if p.Name != "" {
		return p.Name
	}
	return strconv.Itoa(int(p.Port))
}

// portText returns the port of a backend as written, or "" if the backend has no port.
func portText(p networkingv1.ServiceBackendPort) string {
	if p.Number != 0 {
		return strconv.Itoa(int(p.Number))
	}
	return p.Name
}

func portList(ports []corev1.ServicePort) string {
	if len(ports) == 0 {
		return "no ports"
	}
	list := make([]string, len(ports))
	for i, p := range ports {
		list[i] = strconv.Itoa(int(p.Port))
		if p.Name != "" {
			list[i] = fmt.Sprintf("%q (%s)", p.Name, list[i])
		}
		if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
			list[i] += " for " + string(p.Protocol)
		}
	}
	return strings.Join(list, ", ")
}
