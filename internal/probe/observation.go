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
	"strings"
	"syscall"
	"time"
)

// The headers by which an answer tells where it comes from. The first two are set by the demo workloads on every
// answer, the last by a controller that was told to explain itself; another controller's answers may lack it.
const (
	// HeaderServedBy names the pod that answered: namespace/pod, with "-" for a namespace that is not known.
	HeaderServedBy = "X-Served-By"
	// HeaderApp names the application that answered.
	HeaderApp = "X-App"
	// HeaderReason is one sentence in which the controller says why it decided so.
	HeaderReason = "X-Ingresslab-Reason"
)

// Observation is what came of one Request.
type Observation struct {
	Method, URL string
	// Status is the HTTP status code, 100 to 599; 0 if there was no answer.
	Status int
	// Proto is the version that was spoken: "HTTP/1.1", "HTTP/2.0".
	Proto  string
	Header http.Header
	// Body is the body's first MaxBody bytes.
	Body []byte
	// Truncated is true if the body had more than MaxBody bytes.
	Truncated bool
	// Duration is the time from before the connection was made until the body's end.
	Duration time.Duration
	// Served says which pod says that it answered; nil if none said so.
	Served *Served
	// Reason is the controller's own explanation; empty if it gave none.
	Reason string
	// TLS is nil for a plain connection.
	TLS *TLS
	// Err says in plain words why there was no answer, or none up to its end. Status and Header may be known all the same.
	Err error
}

// Served is who answered, by the workload's own account.
type Served struct {
	Namespace string `json:"namespace,omitempty"` // empty if the pod could not know it
	Pod       string `json:"pod,omitempty"`
	App       string `json:"app,omitempty"`
	// Services are the services of the namespace that have the pod as an endpoint. An answer cannot know them: who
	// knows the cluster fills them in.
	Services []string `json:"services,omitempty"`
}

// TLS is what the handshake showed.
type TLS struct {
	Version string   // "TLS 1.3"
	Names   []string // DNS names of the certificate
	// Fingerprint is the SHA-256 of the certificate (DER) in hexadecimal; it tells certificates of the same names apart.
	Fingerprint string
}

// Fingerprint returns what TLS.Fingerprint is for a certificate in DER.
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

// explain turns a transport error into a sentence that names where the connection went. The cause stays wrapped.
// outer is the caller's context: its end is not the ingress's fault, and is told apart from the request's own time-out.
func explain(outer context.Context, err error, address string, timeout time.Duration) error {
	var client *url.Error
	if errors.As(err, &client) {
		err = client.Err // without method and URL, which the Observation has
	}
	var dial *net.OpError
	switch {
	case outer.Err() != nil:
		return fmt.Errorf("the request was given up: %w", context.Cause(outer))
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no complete answer from %s within %s: %w", address, timeout, context.DeadlineExceeded)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens at %s: %w", address, syscall.ECONNREFUSED)
	case errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%s reset the connection: %w", address, syscall.ECONNRESET)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s closed the connection before the answer was complete: %w", address, err)
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("cannot connect to %s: %w", address, dial.Err)
	}
	return err
}

// What says in a few words what was observed, for a line of a report: "404", "200 from cheddar (pod cheddar-x)" or the
// error.
func (o Observation) What() string {
	if o.Err != nil {
		return o.Err.Error()
	}
	switch {
	case o.Served == nil:
		return fmt.Sprintf("%d", o.Status)
	case o.Served.Pod == "":
		return fmt.Sprintf("%d from %s", o.Status, o.Served.App)
	case o.Served.App == "":
		return fmt.Sprintf("%d from pod %s", o.Status, o.Served.Pod)
	}
	return fmt.Sprintf("%d from %s (pod %s)", o.Status, o.Served.App, o.Served.Pod)
}
