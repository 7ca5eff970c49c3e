package service

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
)

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

// serve answers queries until ctx ends. It returns an error if it stops earlier.
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
		_ = server.Shutdown() // it might have stopped already
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
	ttl = 5
	// maxCNAMEs limits a CNAME chain, which might be a loop.
	maxCNAMEs = 8
)

// answer returns the reply to a query.
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
			// The cluster cannot reach outside hosts, so their names get NXDOMAIN. REFUSED would be
			// more exact, but resolvers treat it as a broken server: they retry and report an
			// error.
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

// srvWeight is the same for all targets, so that they get equal shares (RFC 2782).
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
