package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// dialing is how connections are made.
type dialing struct {
	resolve        map[string][]string // "host:port", host may be "*", to addresses
	connectTimeout time.Duration       // 0: as long as the transfer may take
	insecure       bool
	roots          *x509.CertPool // nil: those of the system
	onlyHTTP1      bool
	plainHTTP2     bool // HTTP/2 without asking first, for http:// too
}

// addResolve reads curl's --resolve HOST:PORT:ADDRESS[,ADDRESS].
func (d *dialing) addResolve(value string) error {
	parts := strings.SplitN(value, ":", 3)
	if len(parts) != 3 || parts[0] == "" {
		return fmt.Errorf("%q is not HOST:PORT:ADDRESS", value)
	}
	if port, err := strconv.ParseUint(parts[1], 10, 16); err != nil || port == 0 {
		return fmt.Errorf("%q: port %q is not between 1 and 65535", value, parts[1])
	}
	var addresses []string
	for text := range strings.SplitSeq(parts[2], ",") {
		address, err := netip.ParseAddr(strings.Trim(text, "[]"))
		if err != nil {
			return fmt.Errorf("%q: %w", value, err)
		}
		addresses = append(addresses, address.String())
	}
	if d.resolve == nil {
		d.resolve = map[string][]string{}
	}
	d.resolve[strings.ToLower(parts[0])+":"+parts[1]] = addresses
	return nil
}

// addRoots reads certificates that are trusted instead of the system's.
func (d *dialing) addRoots(file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	d.roots = x509.NewCertPool()
	if !d.roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s: holds no certificate in PEM", file)
	}
	return nil
}

func (d *dialing) transport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!d.plainHTTP2)
	protocols.SetHTTP2(!d.onlyHTTP1)
	protocols.SetUnencryptedHTTP2(d.plainHTTP2)
	return &http.Transport{
		DialContext:        d.dial,
		Protocols:          protocols,
		DisableCompression: true, // what arrives is what is shown
		TLSClientConfig: &tls.Config{
			InsecureSkipVerify: d.insecure, // -k asks for exactly this
			RootCAs:            d.roots,
		},
	}
}

func (d *dialing) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: d.connectTimeout}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses := d.resolve[strings.ToLower(host)+":"+port]
	if addresses == nil {
		addresses = d.resolve["*:"+port]
	}
	if addresses == nil {
		return dialer.DialContext(ctx, network, address)
	}
	for _, a := range addresses {
		var conn net.Conn
		if conn, err = dialer.DialContext(ctx, network, net.JoinHostPort(a, port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}
