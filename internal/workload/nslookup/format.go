package nslookup

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// serverLines says who was asked.
func serverLines(server string) string {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		host, port = server, "53"
	}
	return fmt.Sprintf("Server:\t\t%s\nAddress:\t%s#%s\n\n", host, host, port)
}

// format prints records a line each, but none that before has already: an alias comes with both kinds
// of addresses.
func format(records []dnsmessage.Resource, before string) string {
	var b strings.Builder
	for _, r := range records {
		line := formatRecord(trimDot(r.Header.Name.String()), r.Body)
		if line != "" && !strings.Contains(before+b.String(), line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func formatRecord(name string, body dnsmessage.ResourceBody) string {
	switch r := body.(type) {
	case *dnsmessage.AResource:
		return fmt.Sprintf("Name:\t%s\nAddress: %s\n", name, netip.AddrFrom4(r.A))
	case *dnsmessage.AAAAResource:
		return fmt.Sprintf("Name:\t%s\nAddress: %s\n", name, netip.AddrFrom16(r.AAAA))
	case *dnsmessage.CNAMEResource:
		return fmt.Sprintf("%s\tcanonical name = %s\n", name, r.CNAME)
	case *dnsmessage.PTRResource:
		return fmt.Sprintf("%s\tname = %s\n", name, r.PTR)
	case *dnsmessage.SRVResource:
		return fmt.Sprintf("%s\tservice = %d %d %d %s\n", name, r.Priority, r.Weight, r.Port, r.Target)
	case *dnsmessage.TXTResource:
		quoted := make([]string, len(r.TXT))
		for i, t := range r.TXT {
			quoted[i] = strconv.Quote(t)
		}
		return fmt.Sprintf("%s\ttext = %s\n", name, strings.Join(quoted, " "))
	case *dnsmessage.NSResource:
		return fmt.Sprintf("%s\tnameserver = %s\n", name, r.NS)
	case *dnsmessage.MXResource:
		return fmt.Sprintf("%s\tmail exchanger = %d %s\n", name, r.Pref, r.MX)
	case *dnsmessage.SOAResource:
		return fmt.Sprintf("%s\torigin = %s mail = %s serial = %d\n", name, r.NS, r.MBox, r.Serial)
	}
	return ""
}

// code names a response code as name servers' logs do.
func code(c dnsmessage.RCode) string {
	switch c {
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	case dnsmessage.RCodeFormatError:
		return "FORMERR"
	case dnsmessage.RCodeNotImplemented:
		return "NOTIMP"
	}
	return c.String()
}

func trimDot(name string) string {
	return strings.TrimSuffix(name, ".")
}

func sameQuestion(a, b dnsmessage.Question) bool {
	return a.Type == b.Type && a.Class == b.Class && strings.EqualFold(a.Name.String(), b.Name.String())
}
