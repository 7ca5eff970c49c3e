package service

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

// directory provides the Services and EndpointSlices for a zone. *objects implements it.
type directory interface {
	service(k key) *corev1.Service
	slicesOf(k key) []*discoveryv1.EndpointSlice
	each(f func(*corev1.Service) bool)
}

// record is a DNS record. Exactly one field is set. Names are absolute.
type record struct {
	address netip.Addr // A
	cname   string     // CNAME
	ptr     string     // PTR
	text    string     // TXT
	srv     *target    // SRV
}

// target is a name with its address and, unless port is 0, one of its ports.
type target struct {
	name     string // absolute
	address  netip.Addr
	port     uint16
	portName string
	protocol corev1.Protocol
}

// zone looks up names in the cluster domain, as specified in
// https://github.com/kubernetes/dns/blob/master/docs/specification.md.
type zone struct {
	domain string // absolute, in lower case: "cluster.local."
	directory
}

// schemaVersion is the version of the specification.
const schemaVersion = "1.1.0"

// lookup returns the records of a name, and reports whether the name exists. A name with subdomains
// exists even if it has no records. name is absolute and in lower case.
func (z zone) lookup(name string) (records []record, exists bool) {
	if strings.HasSuffix(name, ".in-addr.arpa.") { // RFC 1035, section 3.5
		records = z.pointers(name)
		return records, len(records) > 0
	}
	if name == z.domain {
		return nil, true
	}
	rest, ok := strings.CutSuffix(name, "."+z.domain)
	if !ok {
		return nil, false
	}
	labels := strings.Split(rest, ".")
	slices.Reverse(labels)
	switch labels[0] {
	case "dns-version":
		if len(labels) == 1 {
			return []record{{text: schemaVersion}}, true
		}
	case "svc":
		return z.lookupService(labels[1:])
	case "pod":
		return lookupPod(labels[1:])
	}
	return nil, false
}

// lookupService resolves names under svc. The first labels are the namespace and the Service. Then
// follows an endpoint, or a protocol and a port.
func (z zone) lookupService(labels []string) (records []record, exists bool) {
	switch len(labels) {
	case 0:
		return nil, true
	case 1:
		z.each(func(s *corev1.Service) bool {
			exists = s.Namespace == labels[0]
			return !exists
		})
		return nil, exists
	}
	service := z.service(key{labels[0], labels[1]})
	if service == nil {
		return nil, false
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		if len(labels) > 2 {
			return nil, false
		}
		return []record{{cname: dns.Fqdn(service.Spec.ExternalName)}}, true
	}
	all := z.targets(service)
	switch rest := labels[2:]; {
	case len(rest) == 0:
		// The specification requires NXDOMAIN for a headless Service that has no ready endpoints.
		return addressesOf(all), len(all) > 0
	case strings.HasPrefix(rest[0], "_"):
		return ports(all, rest)
	case len(rest) == 1 && isHeadless(service):
		host := rest[0] + "." + z.nameOf(service)
		matches := slices.DeleteFunc(all, func(t target) bool { return t.name != host })
		return addressesOf(matches), len(matches) > 0
	}
	return nil, false
}

// targets returns the targets of a Service: at its cluster IP, or at each ready endpoint if it is
// headless. Each name has one target without a port and one for each port.
func (z zone) targets(service *corev1.Service) []target {
	var result []target
	add := func(t target, port int32) {
		if number, ok := portNumber(port); ok {
			t.port = number
			result = append(result, t)
		}
	}
	own := z.nameOf(service)
	if !isHeadless(service) {
		address, ok := clusterIP(service)
		if !ok {
			return nil
		}
		result = append(result, target{name: own, address: address})
		for _, port := range service.Spec.Ports {
			add(target{name: own, address: address, portName: port.Name, protocol: protocolOf(port)}, port.Port)
		}
		return result
	}
	for _, slice := range z.slicesOf(keyOf(service)) {
		for i := range slice.Endpoints {
			e, ok := parseEndpoint(&slice.Endpoints[i], 0)
			if !ok || !e.ready {
				continue
			}
			name, address := hostOf(&slice.Endpoints[i])+"."+own, e.address.Addr()
			result = append(result, target{name: name, address: address})
			for _, port := range slice.Ports {
				t := target{name: name, address: address, portName: ptr.Deref(port.Name, ""), protocol: ptr.Deref(port.Protocol, corev1.ProtocolTCP)}
				add(t, ptr.Deref(port.Port, 0))
			}
		}
	}
	return result
}

// hostOf returns the first label of an endpoint's name: its hostname, or its address with dashes.
func hostOf(e *discoveryv1.Endpoint) string {
	if hostname := ptr.Deref(e.Hostname, ""); hostname != "" {
		return strings.ToLower(hostname)
	}
	return strings.NewReplacer(".", "-", ":", "-").Replace(e.Addresses[0])
}

// ports resolves _PORT._PROTOCOL under a Service. The order of labels is protocol, port.
func ports(all []target, labels []string) (records []record, exists bool) {
	const protocolAndPort = 2
	if len(labels) > protocolAndPort {
		return nil, false
	}
	for _, t := range all {
		if t.portName == "" || "_"+strings.ToLower(string(t.protocol)) != labels[0] {
			continue
		}
		if len(labels) == 1 {
			return nil, true // the name has subdomains for ports
		}
		if "_"+strings.ToLower(t.portName) == labels[1] {
			records = append(records, record{srv: &t})
		}
	}
	return records, len(records) > 0
}

// addressesOf returns the distinct addresses of targets.
func addressesOf(all []target) []record {
	var records []record
	seen := map[netip.Addr]bool{}
	for _, t := range all {
		if !seen[t.address] {
			seen[t.address] = true
			records = append(records, record{address: t.address})
		}
	}
	return records
}

// lookupPod resolves A-B-C-D.NAMESPACE.pod. It does not check that the pod exists, like kubeadm's
// CoreDNS (`pods insecure`).
func lookupPod(labels []string) (records []record, exists bool) {
	const namespaceAndPod = 2
	if len(labels) < namespaceAndPod {
		return nil, true
	}
	address, err := netip.ParseAddr(strings.ReplaceAll(labels[1], "-", "."))
	if err != nil || len(labels) > namespaceAndPod || !address.Is4() {
		return nil, false
	}
	return []record{{address: address}}, true
}

// pointers returns the names that have the address in name, which ends in in-addr.arpa.
func (z zone) pointers(name string) []record {
	var records []record
	z.each(func(service *corev1.Service) bool {
		for _, t := range z.targets(service) {
			r := record{ptr: t.name}
			if reverse, err := dns.ReverseAddr(t.address.String()); err == nil && reverse == name && !slices.Contains(records, r) {
				records = append(records, r)
			}
		}
		return true
	})
	return records
}

func isHeadless(service *corev1.Service) bool { return service.Spec.ClusterIP == corev1.ClusterIPNone }

func (z zone) nameOf(service *corev1.Service) string {
	return service.Name + "." + service.Namespace + ".svc." + z.domain
}

// dnsServer is the DNS server of the cluster, over UDP and TCP.
type dnsServer struct {
	zone    zone
	servers []*dns.Server
}

// dnsPort is the port on the hub. The Service kube-system/kube-dns forwards to it.
const dnsPort = "53"

// listenDNS opens the sockets of the DNS server.
func listenDNS(ctx context.Context, c Config, from directory) (*dnsServer, error) {
	at := net.JoinHostPort(network.Hub.String(), dnsPort)
	packets, err := c.Hub.ListenPacket(ctx, udp, at)
	if err != nil {
		return nil, fmt.Errorf("DNS server: %w", err)
	}
	listener, err := c.Hub.Listen(ctx, tcp, at)
	if err != nil {
		return nil, fmt.Errorf("DNS server: %w", errors.Join(err, packets.Close()))
	}
	s := &dnsServer{zone: zone{domain: strings.ToLower(dns.Fqdn(c.ClusterDomain)), directory: from}}
	s.servers = []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: listener, Handler: s}}
	return s, nil
}

// serve answers queries until ctx ends. It returns an error if the server stops earlier.
func (s *dnsServer) serve(ctx context.Context) error {
	var group sync.WaitGroup
	ended := make(chan error, len(s.servers))
	for _, server := range s.servers {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		group.Go(func() { ended <- server.ActivateAndServe() })
		select {
		case <-started:
		case err := <-ended:
			ended <- err
		}
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended:
	}
	for _, server := range s.servers {
		_ = server.Shutdown() // the server might have stopped already
	}
	group.Wait()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("DNS server: %w", err)
	}
	return nil
}

// ServeDNS implements dns.Handler.
func (s *dnsServer) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	reply := s.answer(query)
	size := dns.MaxMsgSize
	if _, isUDP := w.RemoteAddr().(*net.UDPAddr); isUDP {
		size = dns.MinMsgSize
		if options := query.IsEdns0(); options != nil {
			size = max(size, int(options.UDPSize()))
		}
	}
	reply.Truncate(size)
	_ = w.WriteMsg(reply) // the client might have disconnected
}

const (
	// ttl is the TTL of records in seconds. It is CoreDNS's default, so pods notice changes soon.
	ttl       = 5
	maxCNAMEs = 8 // maxCNAMEs limits a CNAME chain, which might be a loop
)

func (s *dnsServer) answer(query *dns.Msg) *dns.Msg {
	reply := new(dns.Msg)
	reply.SetReply(query)
	if options := query.IsEdns0(); options != nil {
		reply.SetEdns0(dns.DefaultMsgSize, false)
	}
	if query.Opcode != dns.OpcodeQuery || len(query.Question) != 1 {
		reply.Rcode = dns.RcodeNotImplemented
		return reply
	}
	q := query.Question[0]
	reply.Authoritative = true
	name := q.Name
	for range maxCNAMEs {
		records, exists := s.zone.lookup(strings.ToLower(name))
		if !exists {
			// The cluster cannot reach outside hosts, so their names get NXDOMAIN. REFUSED would be more
			// exact, but resolvers treat it as a broken server: they retry and report an error.
			if len(reply.Answer) == 0 || s.inZone(name) {
				reply.Rcode = dns.RcodeNameError
			}
			break
		}
		cname := s.fill(reply, name, q.Qtype, records)
		if cname == "" || !s.inZone(cname) {
			break
		}
		name = cname
	}
	if len(reply.Answer) == 0 && s.inZone(q.Name) {
		reply.Ns = []dns.RR{s.soa()}
	}
	return reply
}

// fill adds the records of the query type. It returns the target of a CNAME record to follow.
func (s *dnsServer) fill(reply *dns.Msg, name string, kind uint16, records []record) (cname string) {
	rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	header := func(name string, kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
	}
	for _, r := range records {
		switch {
		case r.cname != "":
			reply.Answer = append(reply.Answer, &dns.CNAME{Hdr: header(name, dns.TypeCNAME), Target: r.cname})
			if kind != dns.TypeCNAME {
				cname = r.cname
			}
		case r.ptr != "" && kind == dns.TypePTR:
			reply.Answer = append(reply.Answer, &dns.PTR{Hdr: header(name, kind), Ptr: r.ptr})
		case r.text != "" && kind == dns.TypeTXT:
			reply.Answer = append(reply.Answer, &dns.TXT{Hdr: header(name, kind), Txt: []string{r.text}})
		case r.address.IsValid() && kind == dns.TypeA:
			reply.Answer = append(reply.Answer, &dns.A{Hdr: header(name, kind), A: r.address.AsSlice()})
		case r.srv != nil && kind == dns.TypeSRV:
			reply.Answer = append(reply.Answer, &dns.SRV{
				Hdr: header(name, kind), Priority: 0, Weight: srvWeight, Port: r.srv.port, Target: r.srv.name,
			})
			reply.Extra = append(reply.Extra, &dns.A{Hdr: header(r.srv.name, dns.TypeA), A: r.srv.address.AsSlice()})
		}
	}
	return cname
}

// srvWeight is the same for all targets, so that clients use them equally (RFC 2782).
const srvWeight = 100

func (s *dnsServer) inZone(name string) bool {
	return dns.IsSubDomain(s.zone.domain, strings.ToLower(name))
}

// soa returns the SOA record that lets resolvers cache a negative answer (RFC 2308).
func (s *dnsServer) soa() dns.RR {
	return &dns.SOA{
		Hdr:    dns.RR_Header{Name: s.zone.domain, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
		Ns:     "ns.dns." + s.zone.domain,
		Mbox:   "hostmaster." + s.zone.domain,
		Serial: 1, Refresh: 7200, Retry: 1800, Expire: 86400, Minttl: ttl,
	}
}
