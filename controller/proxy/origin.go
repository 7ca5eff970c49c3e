package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// origin describes the client of a request. By default, it comes from the connection. With
// use-forwarded-headers, the X-Forwarded-* header counts, if the peer is in proxy-real-ip-cidr; any
// other client could forge it.
type origin struct {
	// client is the address of the client.
	client netip.Addr
	// secure means that the client uses TLS, either to this proxy or to the proxy in front of it.
	secure bool
	// port is the port that the client connected to; 0 if unknown.
	port int
	// trusted means that a trusted proxy set the X-Forwarded-* header fields.
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
		o.applyForwarded(r.Header, settings.RealIP)
	}
	return o
}

// applyForwarded applies the valid X-Forwarded-* fields.
func (o *origin) applyForwarded(h http.Header, proxies []netip.Prefix) {
	o.client = lastUntrusted(h["X-Forwarded-For"], o.client, proxies)
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

// lastUntrusted walks the chain of proxies back from the peer, and returns the first address that is
// not a trusted proxy: entries before it can be forged. If all are proxies, the first entry is the
// client, as in nginx (real_ip_recursive on).
func lastUntrusted(forwarded []string, peer netip.Addr, proxies []netip.Prefix) netip.Addr {
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

// parseForwarded parses an address of X-Forwarded-For. Some proxies add a port.
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
