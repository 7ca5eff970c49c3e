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

// nameServer answers over UDP and TCP.
type nameServer struct {
	names   names
	servers []*dns.Server
}

// dnsPort is where the hub has the name server; the Service kube-system/kube-dns leads to it.
const dnsPort = "53"

// listenDNS opens the name server's sockets.
func listenDNS(ctx context.Context, c Config, from directory) (*nameServer, error) {
	at := net.JoinHostPort(network.Hub.String(), dnsPort)
	packets, err := c.Hub.ListenPacket(ctx, udp, at)
	if err != nil {
		return nil, fmt.Errorf("name server: %w", err)
	}
	listener, err := c.Hub.Listen(ctx, tcp, at)
	if err != nil {
		return nil, fmt.Errorf("name server: %w", errors.Join(err, packets.Close()))
	}
	s := &nameServer{names: names{domain: strings.ToLower(dns.Fqdn(c.ClusterDomain)), directory: from}}
	s.servers = []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: listener, Handler: s}}
	return s, nil
}

// serve answers until ctx ends. The error says why it stopped before that.
func (s *nameServer) serve(ctx context.Context) error {
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
		_ = server.Shutdown() // it may have ended by itself
	}
	group.Wait()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("name server: %w", err)
	}
	return nil
}

// ServeDNS implements dns.Handler.
func (s *nameServer) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	answer := s.answer(question)
	size := dns.MaxMsgSize
	if _, datagram := w.RemoteAddr().(*net.UDPAddr); datagram {
		size = dns.MinMsgSize
		if options := question.IsEdns0(); options != nil {
			size = max(size, int(options.UDPSize()))
		}
	}
	answer.Truncate(size)
	_ = w.WriteMsg(answer) // who asked may be gone
}

const (
	// ttl is for how many seconds answers hold: CoreDNS's default for clusters is 5, which lets a pod notice a change soon.
	ttl = 5
	// longestChain is how many aliases are followed for who asks. More would be a ring.
	longestChain = 8
)

// answer makes the reply to a question.
func (s *nameServer) answer(question *dns.Msg) *dns.Msg {
	reply := new(dns.Msg)
	reply.SetReply(question)
	if options := question.IsEdns0(); options != nil {
		reply.SetEdns0(dns.DefaultMsgSize, false)
	}
	if question.Opcode != dns.OpcodeQuery || len(question.Question) != 1 {
		reply.Rcode = dns.RcodeNotImplemented
		return reply
	}
	q := question.Question[0]
	reply.Authoritative = true
	name := q.Name
	for range longestChain {
		records, exists := s.names.lookup(strings.ToLower(name))
		if !exists {
			// Names outside of the cluster do not exist here either: nothing outside can be reached. REFUSED would be the word of a
			// server that is not in charge, but resolvers take it for a server that is broken, ask again, and say so to people.
			if len(reply.Answer) == 0 || s.isOurs(name) {
				reply.Rcode = dns.RcodeNameError
			}
			break
		}
		alias := s.fill(reply, name, q.Qtype, records)
		if alias == "" || !s.isOurs(alias) {
			break
		}
		name = alias
	}
	if len(reply.Answer) == 0 && s.isOurs(q.Name) {
		reply.Ns = []dns.RR{s.authority()}
	}
	return reply
}

// fill adds those records that were asked for, and returns the name to go on with if there is an alias.
func (s *nameServer) fill(reply *dns.Msg, name string, kind uint16, records []record) (alias string) {
	rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	header := func(name string, kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
	}
	for _, r := range records {
		switch {
		case r.alias != "":
			reply.Answer = append(reply.Answer, &dns.CNAME{Hdr: header(name, dns.TypeCNAME), Target: r.alias})
			if kind != dns.TypeCNAME {
				alias = r.alias
			}
		case r.pointer != "" && kind == dns.TypePTR:
			reply.Answer = append(reply.Answer, &dns.PTR{Hdr: header(name, kind), Ptr: r.pointer})
		case r.text != "" && kind == dns.TypeTXT:
			reply.Answer = append(reply.Answer, &dns.TXT{Hdr: header(name, kind), Txt: []string{r.text}})
		case r.address.IsValid() && kind == dns.TypeA:
			reply.Answer = append(reply.Answer, &dns.A{Hdr: header(name, kind), A: r.address.AsSlice()})
		case r.service != nil && kind == dns.TypeSRV:
			reply.Answer = append(reply.Answer, &dns.SRV{
				Hdr: header(name, kind), Priority: 0, Weight: srvWeight, Port: r.service.port, Target: r.service.name,
			})
			for _, address := range r.service.addresses {
				reply.Extra = append(reply.Extra, &dns.A{Hdr: header(r.service.name, dns.TypeA), A: address.AsSlice()})
			}
		}
	}
	return alias
}

// srvWeight is the same for all, so that they take equal shares (RFC 2782).
const srvWeight = 100

// isOurs tells names of the cluster from others.
func (s *nameServer) isOurs(name string) bool {
	return dns.IsSubDomain(s.names.domain, strings.ToLower(name))
}

// authority is the record that lets resolvers remember for a moment that there is nothing (RFC 2308).
func (s *nameServer) authority() dns.RR {
	return &dns.SOA{
		Hdr:    dns.RR_Header{Name: s.names.domain, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
		Ns:     "ns.dns." + s.names.domain,
		Mbox:   "hostmaster." + s.names.domain,
		Serial: 1, Refresh: 7200, Retry: 1800, Expire: 86400, Minttl: ttl,
	}
}
