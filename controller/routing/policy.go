package routing

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

// Policy has the options of an Ingress, with the objects that they refer to. All routes of an
// Ingress share one Policy. It never changes after Build.
type Policy struct {
	annotations.Options

	// Users checks a user name and password if Auth.Basic is set. It is safe for concurrent use,
	// and can take tens of milliseconds for a bcrypt hash.
	Users Users
	// AuthHeaders are headers of the request to Auth.URL, from the ConfigMap of
	// auth-proxy-set-headers. Their values can have variables.
	AuthHeaders map[string]annotations.Template
	// ResponseHeaders are set on every response. They come from the ConfigMap of custom-headers.
	ResponseHeaders http.Header
	// ErrorPool replaces responses with a status in Errors.Codes, and pools without endpoints. It
	// is nil if there is no error backend.
	ErrorPool *Pool
	// ClientCA verifies client certificates. It is nil if no Secret has a CA for them.
	ClientCA *x509.CertPool
	// BackendTLS configures TLS to endpoints. It is nil if the proxy uses no TLS.
	BackendTLS *BackendTLS
}

// Users checks passwords.
type Users interface {
	// Match reports whether the password is that of the user.
	Match(user, password string) bool
}

// BackendTLS configures TLS to endpoints. Configurations with the same Key can share connections.
type BackendTLS struct {
	// Key is a digest of the other fields.
	Key string
	// Verify checks the endpoint's certificate against Roots and Name, and that its chain has at
	// most Depth issuers.
	Verify bool
	Depth  int
	Roots  *x509.CertPool
	// Name is that of the annotation, or set by Named. SendName sends it in the handshake.
	Name     string
	SendName bool
	// Certificate is the client certificate, or nil if there is none.
	Certificate *tls.Certificate
}

// Named returns t with a Name: its own, or service if it has none. If t is nil, Named returns nil.
func (t *BackendTLS) Named(service string) *BackendTLS {
	if t == nil || t.Name != "" {
		return t
	}
	named := *t
	named.Name = service
	return &named
}

// isPlain reports whether requests skip the steps of the policy, as on nearly all routes.
// ssl-redirect does not count, because it is on by default and always checked.
func (r *Route) isPlain() bool {
	o := &r.Policy.Options
	switch {
	case r.redirectHost != "", r.rewrite != nil, len(r.Canaries) > 0:
	case o.Redirects.AppRoot != "", !o.Redirects.Temporal.IsZero(), !o.Redirects.Permanent.IsZero():
	case o.CORS.Enabled, o.Access.Allow != nil, len(o.Access.Deny) > 0, limited(o.Limits):
	case o.Auth.Basic, !o.Auth.URL.IsZero(), r.Policy.ClientCA != nil:
	case !o.Rewrite.VHost.IsZero(), !o.Backend.HashBy.IsZero(), o.Affinity.Enabled:
	default:
		return true
	}
	return false
}
