package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// origin is where a request comes from, and how. Without use-forwarded-headers it is what the connection says. With it, the
// word of a proxy in front of us counts, if its address is in proxy-real-ip-cidr: everybody else can write headers, too.
type origin struct {
	// client is the address of the client.
	client netip.Addr
	// secure says that the client speaks TLS, to us or to the proxy in front of us.
	secure bool
	// port is the one that the client connected to; 0: unknown.
	port int
	// trusted says that X-Forwarded-* headers of the request are the word of a proxy in front of us.
	trusted bool
}

func originOf(r *http.Request, settings *annotations.Settings) origin {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	o := origin{client: peer.Addr().Unmap().WithZone(""), secure: r.TLS != nil}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		o.port = local.Port
	}
	if settings.UseForwardedHeaders && within(o.client, settings.RealIP) {
		o.trusted = true
		o.believe(r.Header, settings.RealIP)
	}
	return o
}

// believe takes over what the headers say, as far as they make sense.
func (o *origin) believe(h http.Header, proxies []netip.Prefix) {
	o.client = lastStranger(h["X-Forwarded-For"], o.client, proxies)
	switch proto := h.Get("X-Forwarded-Proto"); {
	case strings.EqualFold(proto, "https"):
		if !o.secure {
			o.secure, o.port = true, 443
		}
	case strings.EqualFold(proto, "http"):
		if o.secure {
			o.secure, o.port = false, 80
		}
	}
	if port, err := strconv.ParseUint(h.Get("X-Forwarded-Port"), 10, 16); err == nil && port > 0 {
		o.port = int(port)
	}
}

// lastStranger walks the chain of proxies back from the peer, and stops at the first address that is none of them: what
// stands before that one may be invented. If all are proxies, the first of the chain is the client, as in nginx
// (real_ip_recursive on).
func lastStranger(forwarded []string, peer netip.Addr, proxies []netip.Prefix) netip.Addr {
	client := peer
	for i := len(forwarded) - 1; i >= 0; i-- {
		for line, more := forwarded[i], true; more; {
			var entry string
			if comma := strings.LastIndexByte(line, ','); comma >= 0 {
				line, entry = line[:comma], line[comma+1:]
			} else {
				entry, more = line, false
			}
			address, ok := parseForwarded(strings.TrimSpace(entry))
			if !ok {
				return client
			}
			if client = address; !within(address, proxies) {
				return client
			}
		}
	}
	return client
}

// parseForwarded reads an address of X-Forwarded-For, which some proxies write with a port.
func parseForwarded(entry string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(strings.Trim(entry, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(entry)
		if err != nil {
			return netip.Addr{}, false
		}
		address = withPort.Addr()
	}
	return address.Unmap().WithZone(""), true
}

func within(address netip.Addr, prefixes []netip.Prefix) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}
