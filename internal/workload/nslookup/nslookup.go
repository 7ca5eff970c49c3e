// Package nslookup sends DNS queries from a pod. It prints the server that replied, and the search domain that
// completed a short name. The output follows BIND's nslookup.
package nslookup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const usage = `usage: nslookup [-type=TYPE] [-port=PORT] NAME [SERVER]

TYPE is a record type such as A, AAAA, CNAME, PTR, SRV, or TXT (default: A and AAAA).
If NAME is an address, nslookup requests its PTR record. A final dot prevents the use of search domains.
SERVER is the DNS server (default: the servers of /etc/resolv.conf).
`

// lookup is a parsed command line.
type lookup struct {
	name   string
	types  []uint16 // in the order of the queries
	server string   // empty means the servers in resolv.conf
	port   string
	config *dns.ClientConfig
}

// Main runs an nslookup command line without the program's name. It returns 0, 1 if no server has the name or none
// replied, or 2 if the command line is invalid.
func Main(ctx context.Context, args []string, out, errOut io.Writer) int {
	return run(ctx, args, "/etc/resolv.conf", out, errOut)
}

func run(ctx context.Context, args []string, resolvConf string, out, errOut io.Writer) int {
	if len(args) == 1 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help") {
		_, _ = io.WriteString(out, usage)
		return 0
	}
	l, err := parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(errOut, "nslookup: %v\n\n%s", err, usage)
		return 2
	}
	if err := l.configure(ctx, resolvConf); err != nil {
		_, _ = fmt.Fprintf(errOut, "nslookup: %v\n", err)
		return 1
	}
	text, err := l.query(ctx)
	_, _ = io.WriteString(out, text)
	if err != nil {
		_, _ = fmt.Fprintln(out, err) // BIND's nslookup prints errors to standard output, too
		return 1
	}
	return 0
}

func parse(args []string) (*lookup, error) {
	l := &lookup{port: "53", types: []uint16{dns.TypeA, dns.TypeAAAA}}
	var rest []string
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			rest = append(rest, arg)
		} else if err := l.option(arg); err != nil {
			return nil, fmt.Errorf("option %s: %w", arg, err)
		}
	}
	switch len(rest) {
	case 0:
		return nil, errors.New("no name given")
	case 1:
	case 2:
		l.server = strings.Trim(rest[1], "[]")
	default:
		return nil, fmt.Errorf("unexpected argument %q", rest[2])
	}
	l.name = rest[0]
	if reverse, err := dns.ReverseAddr(l.name); err == nil {
		l.name, l.types = reverse, []uint16{dns.TypePTR}
	}
	return l, nil
}

func (l *lookup) option(arg string) error {
	name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	switch name {
	case "type":
		kind, known := dns.StringToType[strings.ToUpper(value)]
		if !known {
			return fmt.Errorf("unknown type %q", value)
		}
		l.types = []uint16{kind}
	case "port":
		if n, err := strconv.ParseUint(value, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("port %q is not between 1 and 65535", value)
		}
		l.port = value
	default:
		return errors.New("unknown; the options are -type and -port")
	}
	return nil
}

// configure reads resolv.conf, and applies the command line. In a pod, the kubelet writes the file:
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
func (l *lookup) configure(ctx context.Context, file string) error {
	var err error
	if l.config, err = dns.ClientConfigFromFile(file); err != nil {
		if l.server == "" {
			return fmt.Errorf("resolver configuration: %w", err)
		}
		l.config = &dns.ClientConfig{Ndots: 1, Timeout: 5, Attempts: 2}
	}
	l.config.Search = slices.DeleteFunc(l.config.Search, func(domain string) bool { return domain == "." })
	l.config.Timeout, l.config.Attempts = min(l.config.Timeout, 30), min(l.config.Attempts, 5) // the resolver's limits
	if l.server != "" {
		addresses, err := net.DefaultResolver.LookupHost(ctx, l.server)
		if err != nil {
			return fmt.Errorf("server %q: %w", l.server, err)
		}
		l.config.Servers = addresses[:1]
	}
	if len(l.config.Servers) == 0 {
		return fmt.Errorf("resolver configuration: %s has no nameserver", file)
	}
	return nil
}

// query tries each server until one responds. It returns the text to print, even with an error.
func (l *lookup) query(ctx context.Context) (string, error) {
	var last error
	for _, server := range l.config.Servers {
		found, err := l.queryServer(ctx, net.JoinHostPort(server, l.port))
		var missing *notFoundError
		if err == nil || errors.As(err, &missing) {
			return fmt.Sprintf("Server:\t\t%s\nAddress:\t%[1]s#%s\n\n%s", server, l.port, found), err
		}
		last = fmt.Errorf(";; %s: %w", net.JoinHostPort(server, l.port), err)
		if ctx.Err() != nil {
			break
		}
	}
	return "", fmt.Errorf("%w\n;; no server could be reached", last)
}

// notFoundError reports that a server does not have the name or the record.
type notFoundError struct{ text string }

func (n *notFoundError) Error() string { return n.text }

// queryServer tries the search domains in order until a name exists.
func (l *lookup) queryServer(ctx context.Context, server string) (string, error) {
	missing := fmt.Sprintf("** server can't find %s: NXDOMAIN", trimDot(l.name))
	for _, name := range l.config.NameList(l.name) {
		var text string
		for _, kind := range l.types {
			reply, err := l.exchange(ctx, server, name, kind)
			switch {
			case err != nil:
				return "", err
			case reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError:
				return "", &notFoundError{fmt.Sprintf("** server can't find %s: %s", trimDot(name), dns.RcodeToString[reply.Rcode])}
			case reply.Rcode == dns.RcodeSuccess && len(reply.Answer) == 0:
				missing = fmt.Sprintf("*** Can't find %s: No answer", trimDot(name)) // the name exists without such a record
			}
			for _, record := range reply.Answer {
				if line := format(record); !strings.Contains(text, line) { // the replies for both address types repeat an alias
					text += line
				}
			}
		}
		if text != "" {
			return text, nil
		}
	}
	return "", &notFoundError{missing}
}

// exchange sends a query over UDP, and over TCP if the reply is truncated: RFC 1035, section 4.2.
func (l *lookup) exchange(ctx context.Context, server, name string, kind uint16) (reply *dns.Msg, err error) {
	if _, valid := dns.IsDomainName(name); !valid {
		return nil, fmt.Errorf("name %q: not a domain name", name)
	}
	query := new(dns.Msg).SetQuestion(name, kind)
	for range l.config.Attempts {
		reply, err = l.send(ctx, "udp", server, query)
		if err == nil && reply.Truncated {
			reply, err = l.send(ctx, "tcp", server, query)
		}
		if err == nil || ctx.Err() != nil {
			return reply, err
		}
	}
	return nil, err
}

func (l *lookup) send(ctx context.Context, network, server string, query *dns.Msg) (*dns.Msg, error) {
	client := &dns.Client{Net: network, Timeout: time.Duration(l.config.Timeout) * time.Second, UDPSize: dns.MaxMsgSize - 1}
	conn, err := client.DialContext(ctx, server)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // a signal ends the wait
	defer func() { stop(); _ = conn.Close() }()
	reply, _, err := client.ExchangeWithConn(query, conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		err = errors.New("no reply before the timeout")
	}
	return reply, err
}

// labels are nslookup's words before the data of a record.
var labels = map[uint16]string{
	dns.TypeCNAME: "canonical name", dns.TypePTR: "name", dns.TypeSRV: "service", dns.TypeTXT: "text",
	dns.TypeNS: "nameserver", dns.TypeMX: "mail exchanger",
}

// format returns the lines for a record.
func format(record dns.RR) string {
	header := record.Header()
	name, data := trimDot(header.Name), strings.TrimPrefix(record.String(), header.String())
	label := labels[header.Rrtype]
	switch {
	case header.Rrtype == dns.TypeA || header.Rrtype == dns.TypeAAAA:
		return fmt.Sprintf("Name:\t%s\nAddress: %s\n", name, data)
	case label == "":
		label = dns.TypeToString[header.Rrtype]
	}
	return fmt.Sprintf("%s\t%s = %s\n", name, label, data)
}

func trimDot(name string) string { return strings.TrimSuffix(name, ".") }
