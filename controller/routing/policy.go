package routing

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// Policy is what an Ingress asks for beyond its rules: its options, with everything that they refer to by name found. The
// routes of an Ingress share one. It is never changed once its Table is built.
type Policy struct {
	annotations.Options

	// Users checks a user name and password, when Auth.Basic is set. It is safe for concurrent use, and may take
	// tens of milliseconds for a bcrypt hash.
	Users Users
	// AuthHeaders are the headers of the question to Auth.URL (from the ConfigMap of auth-proxy-set-headers); nil: none.
	// Their values may hold variables.
	AuthHeaders map[string]annotations.Template
	// ResponseHeaders are set on every response (from the ConfigMap of custom-headers); nil: none.
	ResponseHeaders http.Header
	// ErrorPool answers in the place of statuses of Errors.Codes, and of a pool without endpoints; nil: none.
	ErrorPool *Pool
	// ClientCA is what clients' certificates are verified against; nil: clients are not asked for one.
	ClientCA *x509.CertPool
	// BackendTLS is how TLS is spoken to endpoints; nil: in the clear.
	BackendTLS *BackendTLS
}

// Users knows who may enter.
type Users interface {
	// Match reports whether the password is that of the user.
	Match(user, password string) bool
}

// BackendTLS is the client's side of a TLS connection to an endpoint. Two that are equal in Key may share connections.
type BackendTLS struct {
	// Key is a digest of everything below.
	Key string
	// Verify checks the endpoint's certificate against Roots and Name, and its chain for no more than Depth issuers.
	Verify bool
	Depth  int
	Roots  *x509.CertPool
	// Name is what the annotation says, empty if it is silent: see Named. SendName puts the name into the handshake.
	Name     string
	SendName bool
	// Certificate is shown to the endpoint; nil: none.
	Certificate *tls.Certificate
}

// Named gives t with a Name: its own, or if the annotation is silent, the one of the Service that the endpoint belongs to. Of
// nil it gives nil.
func (t *BackendTLS) Named(service string) *BackendTLS {
	if t == nil || t.Name != "" {
		return t
	}
	named := *t
	named.Name = service
	return &named
}
