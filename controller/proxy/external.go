package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

const (
	// externalDialTimeout bounds the connection to a URL of an annotation, including the DNS lookup.
	externalDialTimeout = 3 * time.Second
	// maxExternalIdlePerHost bounds the idle connections per host, maxExternalIdle those to all hosts.
	maxExternalIdlePerHost, maxExternalIdle = 64, 256
	// externalMaxHeader bounds the header of a response, in bytes.
	externalMaxHeader = 64 << 10
)

// newExternalTransport returns the transport for URLs in annotations: auth services and mirrors. RoundTrip
// follows no redirects, so requests go only to the URL in the annotation.
//
// Certificates are not verified, as in ingress-nginx, where proxy_ssl_verify is off: services
// inside a cluster rarely have certificates from a public CA.
func newExternalTransport(dial DialFunc) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // never use HTTP_PROXY: the address check would only see the proxy's address
		DialContext:            dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxExternalIdlePerHost,
		MaxIdleConns:           maxExternalIdle,
		IdleConnTimeout:        idleTimeout,
		TLSHandshakeTimeout:    externalDialTimeout,
		MaxResponseHeaderBytes: externalMaxHeader,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true},
	}
}

// externalDial returns the dial function for URLs in annotations and for Services of type
// ExternalName: dial, or a net.Dialer with an address check if dial is nil.
func externalDial(dial DialFunc) DialFunc {
	if dial == nil {
		return (&net.Dialer{Timeout: externalDialTimeout, KeepAlive: keepAlive, Control: refuseLocal}).DialContext
	}
	return dial
}

// metadata lists cloud metadata services outside the link-local range. They return the node's
// credentials.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS over IPv6
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud over IPv6
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
}

// refuseLocal refuses the addresses of the controller's own host and link: its metrics and status
// page, the node's kubelet, and a cloud's metadata service. Otherwise, a user who can create an
// Ingress could reach addresses that only the controller can reach. The check runs after the DNS
// lookup, so a host name can't bypass it.
func refuseLocal(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: invalid address: %w", address, err)
	}
	ip := to.Addr().Unmap()
	if ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || slices.Contains(metadata, ip) {
		return fmt.Errorf("dial %s: annotations and ExternalName Services must not refer to "+
			"loopback, link-local, multicast, or cloud metadata addresses", address)
	}
	return nil
}
