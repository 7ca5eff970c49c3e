package proxy

import (
	"crypto/x509"
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

// What nginx says to clients without a good certificate (https://nginx.org/en/docs/http/ngx_http_ssl_module.html#errors).
const (
	reasonNoCertificate  = "No required SSL certificate was sent"
	reasonBadCertificate = "The SSL certificate error"
	reasonWrongName      = "the client certificate is unauthorized"
)

// askCertificate refuses a client whose certificate its host wants and does not get (Decision.ClientTLS). The handshake only
// asked for it; here it is checked against the policy of the route, whatever the handshake was about.
func (s *Server) askCertificate(x *exchange) (done bool) {
	if !x.decision.ClientTLS {
		return false
	}
	policy := x.clientPolicy()
	if x.request.TLS == nil {
		return s.askWithoutTLS(x, policy)
	}
	if x.misdirected() {
		// A certificate is chosen for the host that asks for it. Browsers send requests for several hosts on one HTTP/2
		// connection if the addresses and the certificate of the server allow it; 421 has them open another.
		s.refuse(x, &refusal{
			status: http.StatusMisdirectedRequest, clientError: true,
			reason: "this connection is for another host; this one wants a client certificate (RFC 9110, 15.5.20)",
		})
		return true
	}
	verdict := x.judgeCertificate(policy)
	x.certificate = verdict
	if verdict.refused == nil {
		return false
	}
	s.refuseCertificate(x, policy, verdict.refused)
	return true
}

// askWithoutTLS is about plain HTTP, where no client can show a certificate. Answers that come from us may go out;
// endpoints stay closed, unless they want to see those without a certificate, too.
func (s *Server) askWithoutTLS(x *exchange, policy *routing.Policy) (done bool) {
	if x.decision.Action != routing.Forward || policy.ClientTLS.Verify != annotations.VerifyOn {
		x.certificate = &verdict{verify: verifyNone}
		return false
	}
	s.refuse(x, &refusal{
		status: http.StatusForbidden, clientError: true,
		reason: "this host wants a client certificate, which takes HTTPS",
	})
	return true
}

// misdirected reports whether the connection was opened for a host that is asked for another certificate, or for none.
func (x *exchange) misdirected() bool {
	opened := strings.TrimSuffix(strings.ToLower(x.request.TLS.ServerName), ".")
	if opened == hostName(x.request.Host) {
		return false
	}
	return x.view.table.ClientTLS(opened) != x.view.table.ClientTLS(hostName(x.request.Host))
}

// clientPolicy is the one by which the client's certificate is judged: that of the route, or if its Ingress has none, the
// one that another Ingress has for the same host.
func (x *exchange) clientPolicy() *routing.Policy {
	if x.decision.Policy.ClientCA == nil {
		if ofHost := x.view.table.ClientTLS(hostName(x.request.Host)); ofHost != nil {
			return ofHost
		}
	}
	return x.decision.Policy
}

// hostName takes the port and the trailing dot off an authority that passed checkShape.
func hostName(authority string) string {
	name := authority
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, ']') {
		name = name[:colon]
	}
	return strings.TrimSuffix(strings.ToLower(name), ".")
}

// refuseCertificate answers as nginx does: 400, or the page of auth-tls-error-page; 403 when only the name is wrong. The
// connection ends, since the next request on it would show the same certificate.
func (s *Server) refuseCertificate(x *exchange, policy *routing.Policy, err error) {
	r := &refusal{status: http.StatusBadRequest, clientError: true, hangUp: true, reason: err.Error()}
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

// verdict is what one policy makes of the certificate of one connection.
type verdict struct {
	policy *routing.Policy
	at     time.Time
	// refused says why the client may not go on; nil: it may.
	refused error
	// verify is SUCCESS, NONE or FAILED:reason, as nginx's $ssl_client_verify. The rest is empty without a certificate.
	verify, subject, issuer, escaped string
}

// verdictLasts is how long a verdict holds: certificates run out while connections stand.
const verdictLasts = time.Minute

type verdictKey struct{}

// judgeCertificate gives the verdict, which is kept with the connection: signatures are costly to verify.
func (x *exchange) judgeCertificate(policy *routing.Policy) *verdict {
	kept, _ := x.request.Context().Value(verdictKey{}).(*atomic.Pointer[verdict])
	if kept != nil {
		if v := kept.Load(); v != nil && v.policy == policy && x.record.Time.Sub(v.at) < verdictLasts {
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

// isUnknownCA is the one failure that optional_no_ca overlooks; a certificate that has run out is as bad there.
func isUnknownCA(err error) bool {
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &unknown)
}

// setClientCertificate tells the endpoint about the certificate, under the names that ingress-nginx uses. What the client
// says there itself is gone.
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
