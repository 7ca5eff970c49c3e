package nslookup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const usage = `usage: nslookup [-type=TYPE] [-port=PORT] [-timeout=SECONDS] NAME [SERVER]

TYPE is A, AAAA, CNAME, MX, NS, PTR, SOA, SRV or TXT; without it, both kinds of addresses are asked for. A
NAME that is an address is looked up in reverse. Without SERVER, the one of /etc/resolv.conf is asked, and
its search domains are tried; a final dot makes a NAME complete.
`

var types = map[string]dnsmessage.Type{
	"A": dnsmessage.TypeA, "AAAA": dnsmessage.TypeAAAA, "CNAME": dnsmessage.TypeCNAME, "MX": dnsmessage.TypeMX,
	"NS": dnsmessage.TypeNS, "PTR": dnsmessage.TypePTR, "SOA": dnsmessage.TypeSOA, "SRV": dnsmessage.TypeSRV,
	"TXT": dnsmessage.TypeTXT,
}

// lookup is a parsed command line.
type lookup struct {
	name    string
	types   []dnsmessage.Type // in the order they are asked
	server  string            // host:port; empty: those of resolv.conf
	port    string
	timeout time.Duration // 0: as resolv.conf has it
}

// Main runs an nslookup command line, without the program's name, and returns the exit code: 0, 1 if
// the name was not found or no server answered, 2 if the command line makes no sense.
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
	c, err := readConfig(resolvConf)
	if err != nil && l.server == "" {
		_, _ = fmt.Fprintf(errOut, "nslookup: %v\n", err)
		return 1
	}
	if err := l.prepare(ctx, &c); err != nil {
		_, _ = fmt.Fprintf(errOut, "nslookup: %v\n", err)
		return 1
	}
	text, err := l.ask(ctx, &c)
	_, _ = io.WriteString(out, text)
	if err != nil {
		_, _ = fmt.Fprintln(out, err) // where nslookup says it, too
		return 1
	}
	return 0
}

func parse(args []string) (*lookup, error) {
	l := &lookup{port: "53", types: []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA}}
	var rest []string
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			rest = append(rest, arg)
			continue
		}
		if err := l.option(arg); err != nil {
			return nil, err
		}
	}
	switch len(rest) {
	case 0:
		return nil, errors.New("no name given")
	case 1:
	case 2:
		l.server = net.JoinHostPort(strings.Trim(rest[1], "[]"), l.port)
	default:
		return nil, fmt.Errorf("unexpected argument %q", rest[2])
	}
	l.name = rest[0]
	if address, err := netip.ParseAddr(l.name); err == nil {
		l.name, l.types = reverse(address), []dnsmessage.Type{dnsmessage.TypePTR}
	}
	return l, nil
}

func (l *lookup) option(arg string) error {
	name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	switch name {
	case "type", "query", "q":
		kind, known := types[strings.ToUpper(value)]
		if !known {
			return fmt.Errorf("option %s: unknown type %q", arg, value)
		}
		l.types = []dnsmessage.Type{kind}
	case "port":
		if n, err := strconv.ParseUint(value, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("option %s: port %q is not between 1 and 65535", arg, value)
		}
		l.port = value
	case "timeout":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 300 {
			return fmt.Errorf("option %s: %q is not between 1 and 300 seconds", arg, value)
		}
		l.timeout = time.Duration(n) * time.Second
	default:
		return fmt.Errorf("option %s: is unknown", arg)
	}
	return nil
}

// prepare lets the command line override resolv.conf.
func (l *lookup) prepare(ctx context.Context, c *config) error {
	if l.timeout > 0 {
		c.timeout = l.timeout
	}
	c.tries = max(c.tries, 1)
	if c.timeout == 0 { // there was no resolv.conf to say so
		c.timeout = 5 * time.Second
	}
	if l.server != "" {
		host, port, err := net.SplitHostPort(l.server)
		if err != nil {
			return fmt.Errorf("server %q: %w", l.server, err)
		}
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			return fmt.Errorf("server %q: %w", host, err)
		}
		c.servers = []string{net.JoinHostPort(addresses[0], port)}
	} else if l.port != "53" {
		for i, s := range c.servers {
			host, _, _ := net.SplitHostPort(s)
			c.servers[i] = net.JoinHostPort(host, l.port)
		}
	}
	if len(c.servers) == 0 {
		return errors.New("resolver configuration: names no server")
	}
	return nil
}

// ask tries servers until one answers and candidates until one exists, and returns what to print
// even with an error.
func (l *lookup) ask(ctx context.Context, c *config) (string, error) {
	var last error
	for _, server := range c.servers {
		found, err := l.askServer(ctx, c, server)
		var missing *notFound
		if err == nil || errors.As(err, &missing) {
			return serverLines(server) + found, err
		}
		last = fmt.Errorf(";; %s: %w", server, err)
		if ctx.Err() != nil {
			break
		}
	}
	return "", fmt.Errorf("%w\n;; no server could be reached", last)
}

// notFound is what servers say about a name, unlike what goes wrong in asking them.
type notFound struct{ text string }

func (n *notFound) Error() string { return n.text }

func (l *lookup) askServer(ctx context.Context, c *config, server string) (string, error) {
	missing := &notFound{}
	for _, name := range c.candidates(l.name) {
		var records strings.Builder
		for _, kind := range l.types {
			answer, err := c.exchange(ctx, server, name, kind)
			if err != nil {
				return "", err
			}
			switch {
			case answer.RCode != dnsmessage.RCodeSuccess && answer.RCode != dnsmessage.RCodeNameError:
				return "", &notFound{fmt.Sprintf("** server can't find %s: %s", trimDot(name), code(answer.RCode))}
			case answer.RCode == dnsmessage.RCodeSuccess && len(answer.Answers) == 0:
				// The name exists, without such a record: more to say than that another does not.
				missing.text = fmt.Sprintf("*** Can't find %s: No answer", trimDot(name))
			}
			records.WriteString(format(answer.Answers, records.String()))
		}
		if records.Len() > 0 {
			return records.String(), nil
		}
	}
	if missing.text == "" {
		missing.text = fmt.Sprintf("** server can't find %s: NXDOMAIN", trimDot(l.name))
	}
	return "", missing
}

// reverse is the name under which the address has its PTR record: RFC 1035, section 3.5, and RFC 3596,
// section 2.5.
func reverse(address netip.Addr) string {
	address = address.Unmap()
	var b strings.Builder
	bytes := address.AsSlice()
	for i := len(bytes) - 1; i >= 0; i-- {
		if address.Is4() {
			fmt.Fprintf(&b, "%d.", bytes[i])
		} else {
			fmt.Fprintf(&b, "%x.%x.", bytes[i]&0xf, bytes[i]>>4)
		}
	}
	if address.Is4() {
		return b.String() + "in-addr.arpa."
	}
	return b.String() + "ip6.arpa."
}
