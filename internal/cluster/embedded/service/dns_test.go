package service

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

const zoneObjects = `
kind: Service
metadata: {namespace: shop, name: web}
spec: {clusterIP: 10.96.1.1, ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}
---
kind: Service
metadata: {namespace: shop, name: plain}
spec: {clusterIP: 10.96.1.2, ports: [{port: 80}]}
---
kind: Service
metadata: {namespace: shop, name: db}
spec: {clusterIP: None, ports: [{name: sql, port: 5432}]}
---
kind: EndpointSlice
metadata: {namespace: shop, name: db--1}
addressType: IPv4
ports: [{name: sql, port: 15432, protocol: TCP}]
endpoints:
- {addresses: [10.244.0.2], hostname: db-0, conditions: {ready: true}}
- {addresses: [10.244.0.3], conditions: {ready: true}}
- {addresses: [10.244.0.4], hostname: db-2, conditions: {ready: false}}
---
kind: Service
metadata: {namespace: shop, name: empty}
spec: {clusterIP: None, ports: [{name: sql, port: 5432}]}
---
kind: Service
metadata: {namespace: shop, name: outside}
spec: {type: ExternalName, externalName: www.example.test}
---
kind: Service
metadata: {namespace: shop, name: inside}
spec: {type: ExternalName, externalName: WEB.shop.svc.cluster.local}
---
kind: Service
metadata: {namespace: shop, name: ring}
spec: {type: ExternalName, externalName: ring.shop.svc.cluster.local}
`

// want lists the records of the reply. NODATA: the name exists, but not with this record type.
func TestAnswer(t *testing.T) {
	s := newTestServer(t)
	for _, test := range []struct{ kind, name, want string }{
		{"A", "web.shop.svc.cluster.local.", "10.96.1.1"},
		{"A", "WEB.Shop.svc.cluster.local.", "10.96.1.1"},
		{"AAAA", "web.shop.svc.cluster.local.", "NODATA"},
		{"A", "other.shop.svc.cluster.local.", "NXDOMAIN"},
		{"A", "web.other.svc.cluster.local.", "NXDOMAIN"},
		{"A", "x.web.shop.svc.cluster.local.", "NXDOMAIN"},
		{"A", "shop.svc.cluster.local.", "NODATA"},
		{"A", "other.svc.cluster.local.", "NXDOMAIN"},
		{"A", "svc.cluster.local.", "NODATA"},
		{"A", "cluster.local.", "NODATA"},
		{"A", "web.shop.svc.cluster.local.shop.svc.cluster.local.", "NXDOMAIN"}, // from the search list of resolv.conf
		{"SRV", "_http._tcp.web.shop.svc.cluster.local.", "80 web.shop.svc.cluster.local."},
		{"SRV", "_dns._udp.web.shop.svc.cluster.local.", "53 web.shop.svc.cluster.local."},
		{"SRV", "_dns._tcp.web.shop.svc.cluster.local.", "NXDOMAIN"},
		{"A", "_http._tcp.web.shop.svc.cluster.local.", "NODATA"},
		{"A", "_tcp.web.shop.svc.cluster.local.", "NODATA"},
		{"SRV", "_tcp.plain.shop.svc.cluster.local.", "NXDOMAIN"}, // the port has no name
		{"A", "db.shop.svc.cluster.local.", "10.244.0.2 10.244.0.3"},
		{"A", "db-0.db.shop.svc.cluster.local.", "10.244.0.2"},
		{"A", "10-244-0-3.db.shop.svc.cluster.local.", "10.244.0.3"},
		{"A", "db-2.db.shop.svc.cluster.local.", "NXDOMAIN"},
		{"AAAA", "db-0.db.shop.svc.cluster.local.", "NODATA"},
		{"SRV", "_sql._tcp.db.shop.svc.cluster.local.", "15432 10-244-0-3.db.shop.svc.cluster.local. 15432 db-0.db.shop.svc.cluster.local."},
		{"A", "empty.shop.svc.cluster.local.", "NXDOMAIN"},
		{"A", "outside.shop.svc.cluster.local.", "CNAME www.example.test."},
		{"CNAME", "outside.shop.svc.cluster.local.", "CNAME www.example.test."},
		{"A", "inside.shop.svc.cluster.local.", "10.96.1.1 CNAME WEB.shop.svc.cluster.local."},
		{"AAAA", "inside.shop.svc.cluster.local.", "CNAME WEB.shop.svc.cluster.local."},
		{"CNAME", "ring.shop.svc.cluster.local.", "CNAME ring.shop.svc.cluster.local."},
		{"PTR", "1.1.96.10.in-addr.arpa.", "web.shop.svc.cluster.local."},
		{"PTR", "2.0.244.10.in-addr.arpa.", "db-0.db.shop.svc.cluster.local."},
		{"PTR", "9.9.96.10.in-addr.arpa.", "NXDOMAIN"},
		{"A", "10-244-0-9.shop.pod.cluster.local.", "10.244.0.9"},
		{"A", "ten.shop.pod.cluster.local.", "NXDOMAIN"},
		{"TXT", "dns-version.cluster.local.", "1.1.0"},
		{"A", "example.test.", "NXDOMAIN"},
		{"A", "notcluster.local.", "NXDOMAIN"},
	} {
		t.Run(test.kind+" "+test.name, func(t *testing.T) {
			if got := query(s, test.kind, test.name); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// A CNAME loop must not block the server.
func TestAnswerStopsAtCNAMELoop(t *testing.T) {
	s := newTestServer(t)
	if got := query(s, "A", "ring.shop.svc.cluster.local."); !strings.HasPrefix(got, "CNAME") {
		t.Errorf("got %s", got)
	}
}

// Resolvers cache a negative answer for ttl seconds if the reply has an SOA record (RFC 2308).
func TestNegativeAnswerHasSOA(t *testing.T) {
	s := newTestServer(t)
	for _, name := range []string{"other.shop.svc.cluster.local.", "shop.svc.cluster.local."} {
		reply := s.answer(new(dns.Msg).SetQuestion(name, dns.TypeA))
		if len(reply.Ns) != 1 || reply.Ns[0].Header().Name != "cluster.local." {
			t.Errorf("%s: authority section is %v", name, reply.Ns)
		}
	}
}

func TestAnswerRejectsNotify(t *testing.T) {
	s := newTestServer(t)
	if reply := s.answer(new(dns.Msg).SetNotify("cluster.local.")); reply.Rcode != dns.RcodeNotImplemented {
		t.Errorf("NOTIFY: %s, want NOTIMP", dns.RcodeToString[reply.Rcode])
	}
}

func newTestServer(t *testing.T) *dnsServer {
	return &dnsServer{zone: zone{"cluster.local.", manifests(t, zoneObjects)}}
}

// query returns the sorted answer section of a reply, and its response code unless NOERROR.
func query(s *dnsServer, kind, name string) string {
	reply := s.answer(new(dns.Msg).SetQuestion(name, dns.StringToType[kind]))
	var words []string
	for _, rr := range reply.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			words = append(words, rr.A.String())
		case *dns.SRV:
			words = append(words, strings.Join(strings.Fields(rr.String())[6:], " "))
		case *dns.CNAME:
			words = append(words, "CNAME "+rr.Target)
		case *dns.PTR:
			words = append(words, rr.Ptr)
		case *dns.TXT:
			words = append(words, rr.Txt...)
		default:
			words = append(words, "?"+rr.String())
		}
	}
	slices.Sort(words)
	if reply.Rcode != dns.RcodeSuccess {
		words = append(words, dns.RcodeToString[reply.Rcode])
	}
	if len(words) == 0 {
		return "NODATA"
	}
	return strings.Join(words, " ")
}
