package proxy

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// nginx's messages for clients without a valid certificate
// (https://nginx.org/en/docs/http/ngx_http_ssl_module.html#errors).
const (
	reasonNoCertificate  = "No required SSL certificate was sent"
	reasonBadCertificate = "The SSL certificate error"
	reasonWrongName      = "the client certificate is unauthorized"
)

// checkClientCertificate refuses a client without the certificate that its host requires
// (Decision.ClientTLS). The handshake only requested it; this step verifies it by the policy of the
// route.
func (s *Server) checkClientCertificate(x *exchange) (done bool) {
	if !x.decision.ClientTLS {
		return false
	}
	policy := x.clientPolicy()
	if x.request.TLS == nil {
		return s.checkWithoutTLS(x, policy)
	}
	if x.misdirected() {
		// A client selects a certificate for a host. Browsers can send requests for several hosts
		// on one HTTP/2 connection, if the server's addresses and certificate allow it. 421 makes
		// the browser open another connection.
		s.refuse(x, &refusal{
			status: http.StatusMisdirectedRequest, clientError: true,
			reason: "this connection is for another host; this host requires a client certificate (RFC 9110, 15.5.20)",
		})
		return true
	}
	verdict := x.verifyClientCertificate(policy)
	x.certificate = verdict
	if verdict.refused == nil {
		return false
	}
	s.refuseCertificate(x, policy, verdict.refused)
	return true
}

// checkWithoutTLS handles plain HTTP, where no client can present a certificate. The proxy sends
// its own responses, such as redirects. It refuses requests to endpoints, unless the policy accepts
// clients without a certificate.
func (s *Server) checkWithoutTLS(x *exchange, policy *routing.Policy) (done bool) {
	if x.decision.Action != routing.Forward || policy.ClientTLS.Verify != annotations.VerifyOn {
		x.certificate = &verdict{verify: verifyNone}
		return false
	}
	s.refuse(x, &refusal{
		status: http.StatusForbidden, clientError: true,
		reason: "this host requires a client certificate; use HTTPS",
	})
	return true
}

// misdirected reports whether the handshake was for a host with a different client certificate
// policy, or without one.
func (x *exchange) misdirected() bool {
	opened := strings.TrimSuffix(strings.ToLower(x.request.TLS.ServerName), ".")
	if opened == hostName(x.request.Host) {
		return false
	}
	return x.view.table.ClientTLS(opened) != x.view.table.ClientTLS(hostName(x.request.Host))
}

// clientPolicy returns the policy for the client's certificate: that of the route, or that of
// another Ingress for the same host.
func (x *exchange) clientPolicy() *routing.Policy {
	if x.decision.Policy.ClientCA == nil {
		if ofHost := x.view.table.ClientTLS(hostName(x.request.Host)); ofHost != nil {
			return ofHost
		}
	}
	return x.decision.Policy
}

// hostName removes the port and the trailing dot from an authority that passed checkShape.
func hostName(authority string) string {
	name := authority
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, ']') {
		name = name[:colon]
	}
	return strings.TrimSuffix(strings.ToLower(name), ".")
}

// refuseCertificate responds as nginx does: with 400, with a redirect to auth-tls-error-page, or
// with 403 if only the name doesn't match. It closes the connection, because further requests would
// present the same certificate.
func (s *Server) refuseCertificate(x *exchange, policy *routing.Policy, err error) {
	r := &refusal{status: http.StatusBadRequest, clientError: true, closeConn: true, reason: err.Error()}
	switch page := policy.ClientTLS.ErrorPage; {
	case errors.Is(err, errWrongName):
		r.status = http.StatusForbidden
	case page != "":
		r.status, r.header = http.StatusFound, http.Header{"Location": {page}}
	}
	s.refuse(x, r)
}

// The values of the header ssl-client-verify, besides FAILED.
const (
	verifySuccess = "SUCCESS"
	verifyNone    = "NONE"
)

var (
	errNoCertificate = errors.New(reasonNoCertificate) //nolint:staticcheck // clients read it, and it is what nginx says
	errWrongName     = errors.New(reasonWrongName)
)

// verdict is the result of verifying a connection's certificate by one policy.
type verdict struct {
	policy *routing.Policy
	at     time.Time
	// refused is the reason for refusing the client. It is nil if the client is accepted.
	refused error
	// verify is SUCCESS, NONE or FAILED:reason, as in nginx's $ssl_client_verify. The other fields
	// are empty without a certificate.
	verify, subject, issuer, escaped string
}

// verdictTTL bounds the age of a verdict: a certificate can expire while the connection is open.
const verdictTTL = time.Minute

type verdictKey struct{}

// verifyClientCertificate returns the verdict. The connection caches it, because signatures are expensive
// to verify.
func (x *exchange) verifyClientCertificate(policy *routing.Policy) *verdict {
	kept, _ := x.request.Context().Value(verdictKey{}).(*atomic.Pointer[verdict])
	if kept != nil {
		if v := kept.Load(); v != nil && v.policy == policy && x.record.Time.Sub(v.at) < verdictTTL {
			return v
		}
	}
	v := judge(x.request.TLS.PeerCertificates, policy, x.record.Time)
	if kept != nil {
		kept.Store(v)
	}
	return v
}

func judge(presented []*x509.Certificate, policy *routing.Policy, now time.Time) *verdict {
	v := &verdict{policy: policy, at: now, verify: verifyNone}
	rules := policy.ClientTLS
	if len(presented) == 0 {
		if rules.Verify == annotations.VerifyOn {
			v.refused = errNoCertificate
		}
		return v
	}
	leaf := presented[0]
	v.subject, v.issuer = distinguishedName(leaf.RawSubject), distinguishedName(leaf.RawIssuer)
	if rules.PassCertificate {
		v.escaped = strings.ReplaceAll(url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))), "+", "%20")
	}
	err := verifyChain(presented, rules.Depth, x509.VerifyOptions{
		Roots: policy.ClientCA, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if v.verify = verifySuccess; err != nil {
		v.verify = "FAILED:" + oneLine(err.Error())
	}
	switch {
	case err != nil && (rules.Verify != annotations.VerifyOptionalNoCA || !isUnknownCA(err)):
		v.refused = fmt.Errorf("%s: %w", reasonBadCertificate, err)
	case rules.MatchCN != nil && !rules.MatchCN.MatchString("CN="+leaf.Subject.CommonName):
		v.refused = errWrongName
	}
	return v
}

// isUnknownCA reports whether err means an unknown CA. optional_no_ca ignores only this error, not
// an expired certificate, for example.
func isUnknownCA(err error) bool {
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &unknown)
}

// setClientCertificate sends information about the certificate to the endpoint, in the header
// fields of ingress-nginx. The client's own fields of these names are already removed.
func (x *exchange) setClientCertificate(h http.Header) {
	v := x.certificate
	if v == nil {
		return
	}
	h["Ssl-Client-Verify"] = []string{v.verify}
	if v.subject != "" || v.issuer != "" {
		h["Ssl-Client-Subject-Dn"] = []string{v.subject}
		h["Ssl-Client-Issuer-Dn"] = []string{v.issuer}
	}
	if v.escaped != "" {
		h["Ssl-Client-Cert"] = []string{v.escaped}
	}
}

// distinguishedName converts a name from DER to RFC 2253, the last part first:
// "CN=alice,O=Shop,C=DE". It is nginx's $ssl_client_s_dn. Bytes that are not printable ASCII become
// "\C3", as in OpenSSL, so that a name always fits into one header field.
func distinguishedName(der []byte) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return ""
	}
	var b strings.Builder
	for _, c := range []byte(name.String()) {
		if c < ' ' || c > '~' {
			_, _ = fmt.Fprintf(&b, `\%02X`, c) // a Builder returns no errors
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
