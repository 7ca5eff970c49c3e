package probe

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The headers that identify the source of a response. Demo workloads set the first two on every response. The lab's controller sets the
// last one if configured to.
const (
	// HeaderServedBy has the pod that responded: namespace/pod, with "-" for an unknown namespace.
	HeaderServedBy = "X-Served-By"
	HeaderApp      = "X-App" // HeaderApp has the application that responded
	// HeaderReason has a sentence with the reason for the controller's decision.
	HeaderReason = "X-Ingresslab-Reason"
)

// Observation is the result of a Request.
type Observation struct {
	Method, URL string
	Status      int    // the HTTP status code, 100 to 599; 0 without a response
	Proto       string // the protocol version: "HTTP/1.1", "HTTP/2.0"
	Header      http.Header
	Body        []byte        // the first MaxBody bytes
	Truncated   bool          // the body had more than MaxBody bytes
	Duration    time.Duration // from the start of the connection to the end of the body
	Served      *Served       // the pod that responded; nil if no header identifies one
	Reason      string        // the controller's reason; empty without one
	TLS         *TLS          // nil for a plain connection
	// Err is the reason for a missing or incomplete response. Status and Header can be set even if Err is.
	Err error
}

// Served is the pod that responded, as its headers report.
type Served struct {
	Namespace string `json:"namespace,omitempty"` // empty if the pod does not know it
	Pod       string `json:"pod,omitempty"`
	App       string `json:"app,omitempty"`
	// Services are the Services with the pod as an endpoint. The caller sets them, because a response does not contain them.
	Services []string `json:"services,omitempty"`
}

// TLS is the result of the handshake.
type TLS struct {
	Version string   // "TLS 1.3"
	Names   []string // DNS names of the certificate
	// Fingerprint is the SHA-256 of the certificate (DER) in hexadecimal. It distinguishes certificates with the same names.
	Fingerprint string
}

// Fingerprint returns TLS.Fingerprint for a certificate in DER.
func Fingerprint(der []byte) string { return fmt.Sprintf("%x", sha256.Sum256(der)) }

func servedBy(h http.Header) *Served {
	by, app := h.Get(HeaderServedBy), h.Get(HeaderApp)
	if by == "" && app == "" {
		return nil
	}
	namespace, pod, _ := strings.Cut(by, "/")
	if namespace == "-" {
		namespace = ""
	}
	return &Served{Namespace: namespace, Pod: pod, App: app}
}

func observeTLS(state *tls.ConnectionState) *TLS {
	if state == nil {
		return nil
	}
	seen := &TLS{Version: tls.VersionName(state.Version)}
	if len(state.PeerCertificates) > 0 {
		leaf := state.PeerCertificates[0]
		seen.Names, seen.Fingerprint = leaf.DNSNames, Fingerprint(leaf.Raw)
	}
	return seen
}

// explain turns a transport error into a sentence with the address. It wraps the cause. It distinguishes the end of outer, the caller's
// context, from the timeout of the request.
func explain(outer context.Context, err error, address string, timeout time.Duration) error {
	var client *url.Error
	if errors.As(err, &client) {
		err = client.Err // without the method and the URL, which the Observation has
	}
	var dial *net.OpError
	switch {
	case outer.Err() != nil:
		return fmt.Errorf("the request was canceled: %w", context.Cause(outer))
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no complete response from %s within %s: %w", address, timeout, context.DeadlineExceeded)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens at %s: %w", address, syscall.ECONNREFUSED)
	case errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%s reset the connection: %w", address, syscall.ECONNRESET)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s closed the connection before the end of the response: %w", address, err)
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("cannot connect to %s: %w", address, dial.Err)
	}
	return err
}

// What returns a short summary for a report: "404", "200 from cheddar (pod cheddar-x)", or the error.
func (o Observation) What() string {
	if o.Err != nil {
		return o.Err.Error()
	}
	switch {
	case o.Served == nil:
		return strconv.Itoa(o.Status)
	case o.Served.Pod == "":
		return fmt.Sprintf("%d from %s", o.Status, o.Served.App)
	case o.Served.App == "":
		return fmt.Sprintf("%d from pod %s", o.Status, o.Served.Pod)
	}
	return fmt.Sprintf("%d from %s (pod %s)", o.Status, o.Served.App, o.Served.Pod)
}
