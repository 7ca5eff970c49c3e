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
	// outsideDialTimeout bounds the connection to a URL of an annotation, the look-up of its name included.
	outsideDialTimeout = 3 * time.Second
	// outsideIdle is how many idle connections are kept for one host, and outsideIdleTotal for all of them.
	outsideIdle, outsideIdleTotal = 64, 256
	// outsideMaxHeader bounds the header of an answer, in bytes.
	outsideMaxHeader = 64 << 10
)

// newOutside gives the connections to what annotations name by URL: auth services and mirrors. Its RoundTrip follows no
// redirect: where an author has not pointed, no request goes.
//
// Certificates are not verified, as in ingress-nginx, where proxy_ssl_verify is off for these: the services
// of a cluster rarely have certificates that anyone else knows.
func newOutside(dial DialFunc) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // never by HTTP_PROXY: it would make the check of the address one of the proxy's
		DialContext:            dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    outsideIdle,
		MaxIdleConns:           outsideIdleTotal,
		IdleConnTimeout:        idleTimeout,
		TLSHandshakeTimeout:    outsideDialTimeout,
		MaxResponseHeaderBytes: outsideMaxHeader,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true},
	}
}

// outsideDial is the way to names that annotations and Services of type ExternalName give; nil means the network.
func outsideDial(dial DialFunc) DialFunc {
	if dial == nil {
		return (&net.Dialer{Timeout: outsideDialTimeout, KeepAlive: keepAlive, Control: refuseOwn}).DialContext
	}
	return dial
}

// metadata are the services of clouds that give a node's credentials away, and whose addresses are not link-local ones.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS over IPv6
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud over IPv6
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
}

// refuseOwn refuses the addresses of the controller's own host and network link: its metrics and status page, a node's kubelet,
// a cloud's metadata service. Whoever may write an Ingress must not thereby reach what only the controller can. It sees the
// address after the name was looked up, so a name cannot get around it.
func refuseOwn(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: no address: %w", address, err)
	}
	ip := to.Addr().Unmap()
	if ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || slices.Contains(metadata, ip) {
		return fmt.Errorf("dial %s: neither annotations nor an ExternalName may lead to the controller's own host or link", address)
	}
	return nil
}
