package nslookup

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// config is the part of resolv.conf(5) that decides which questions are asked of whom. In a pod the
// kubelet writes it: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
type config struct {
	servers []string // host:port
	search  []string // domains, without a final dot
	ndots   int      // a name with fewer dots is tried with the search domains first
	timeout time.Duration
	tries   int
}

func readConfig(file string) (config, error) {
	f, err := os.Open(file)
	if err != nil {
		return config{}, fmt.Errorf("resolver configuration: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	c, err := parseConfig(f)
	if err != nil {
		return config{}, fmt.Errorf("resolver configuration %s: %w", file, err)
	}
	return c, nil
}

func parseConfig(r io.Reader) (config, error) {
	c := config{ndots: 1, timeout: 5 * time.Second, tries: 2}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") || strings.HasPrefix(fields[0], ";") {
			continue
		}
		switch fields[0] {
		case "nameserver":
			address, err := netip.ParseAddr(fields[1])
			if err != nil {
				return c, fmt.Errorf("nameserver: %w", err)
			}
			c.servers = append(c.servers, net.JoinHostPort(address.String(), "53"))
		case "search", "domain": // the last one counts
			c.search = nil
			for _, domain := range fields[1:] {
				c.search = append(c.search, strings.TrimSuffix(domain, "."))
			}
		case "options":
			for _, o := range fields[1:] {
				c.option(o)
			}
		}
	}
	return c, lines.Err()
}

// option reads one of the options that matter here. Like the resolver, it passes over the others.
func (c *config) option(text string) {
	name, value, _ := strings.Cut(text, ":")
	n, err := strconv.Atoi(value)
	if err != nil {
		return
	}
	switch name {
	case "ndots":
		c.ndots = min(max(n, 0), 15)
	case "timeout":
		c.timeout = time.Duration(min(max(n, 1), 30)) * time.Second
	case "attempts":
		c.tries = min(max(n, 1), 5)
	}
}

// candidates lists the full names that a name may stand for, in the order in which they are tried.
func (c *config) candidates(name string) []string {
	if strings.HasSuffix(name, ".") {
		return []string{name}
	}
	var names []string
	for _, domain := range c.search {
		if domain != "" {
			names = append(names, name+"."+domain+".")
		}
	}
	if strings.Count(name, ".") >= c.ndots {
		return append([]string{name + "."}, names...)
	}
	return append(names, name+".")
}
