package routing

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/htpasswd"
)

// policy resolves what the options of an Ingress refer to. A missing security object blocks the
// routes; any other missing object only disables its own option.
func (b *builder) policy(ing *ingress, options annotations.Options) *Policy {
	p := &Policy{Options: options}
	if options.Canary.Enabled {
		return p // it makes no route: the policy is that of the main one
	}
	b.findUsers(ing, p)
	b.findAuthHeaders(ing, p)
	b.findClientCA(ing, p)
	b.findBackendTLS(ing, p)
	b.findResponseHeaders(ing, p)
	b.findErrorPool(ing, p)
	return p
}

// lack blocks the routes because a security annotation cannot take effect.
func (b *builder) lack(ing *ingress, p *Policy, annotation string, missing *lack) {
	if p.Blocked == "" {
		p.Blocked = fmt.Sprintf("annotation %s: %s", annotation[len(annotations.Prefix):], missing.reason)
	}
	if !missing.loading {
		b.found.add(ing.ref, "metadata.annotations["+annotation+"]", missing.reason.so("the routes of this Ingress fail closed and return 503"))
	}
}

// findUsers reads the Secret of auth-secret.
func (b *builder) findUsers(ing *ingress, p *Policy) {
	if !p.Auth.Basic {
		return
	}
	const annotation = annotations.Prefix + "auth-secret"
	secret, missing := b.secret(ing.Namespace, p.Auth.Secret)
	if missing != nil {
		b.lack(ing, p, annotation, missing)
		return
	}
	var list *userList
	if p.Auth.SecretMap {
		list, missing = b.memory.maps.get(secret, userMap)
	} else {
		list, missing = b.memory.files.get(secret, userFile)
	}
	if missing != nil {
		b.lack(ing, p, annotation, missing)
		return
	}
	for _, f := range list.faults {
		b.found.add(ing.ref, "metadata.annotations["+annotation+"]", Because(UserInvalid, "secret", secret.Name, "where", f.Where, "error",
			f.Reason))
	}
	if list.users.Len() == 0 {
		b.lack(ing, p, annotation, &lack{reason: Because(UsersEmpty, "secret", secret.Name)})
		return
	}
	p.Users = list.users
}

// userFile reads a Secret of type auth-file.
func userFile(secret *corev1.Secret) (*userList, *lack) {
	file, ok := secret.Data["auth"]
	if !ok {
		return nil, &lack{reason: Because(UsersKeyMissing, "secret", secret.Name, "key", "auth")}
	}
	users, faults := htpasswd.Parse(file)
	return &userList{users, faults}, nil
}

// userMap reads a Secret of type auth-map.
func userMap(secret *corev1.Secret) (*userList, *lack) {
	users, faults := htpasswd.ParseMap(secret.Data)
	return &userList{users, faults}, nil
}

// findClientCA reads the Secret of auth-tls-secret.
func (b *builder) findClientCA(ing *ingress, p *Policy) {
	if !asksClients(p.ClientTLS) {
		return
	}
	const annotation = annotations.Prefix + "auth-tls-secret"
	secret, missing := b.secret(ing.Namespace, p.ClientTLS.Secret)
	if missing == nil && len(secret.Data["ca.crl"]) > 0 {
		missing = &lack{reason: Because(RevocationList, "secret", secret.Name)}
	}
	if missing == nil {
		p.ClientCA, missing = b.memory.authorities.get(secret, authority)
	}
	if missing != nil {
		p.ClientCA = nil
		b.lack(ing, p, annotation, missing)
	}
}

// authority reads the certificates in ca.crt. All of them must be valid, because a skipped
// certificate could be the required CA.
func authority(secret *corev1.Secret) (*x509.CertPool, *lack) {
	pool := x509.NewCertPool()
	rest, count := secret.Data["ca.crt"], 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &lack{reason: Because(AuthorityInvalid, "secret", secret.Name, "number", strconv.Itoa(count+1), "error", err.Error())}
		}
		pool.AddCert(certificate)
		count++
	}
	if count == 0 {
		return nil, &lack{reason: Because(AuthorityMissing, "secret", secret.Name)}
	}
	return pool, nil
}

// findErrorPool finds the Service for error responses: the Service of the annotation
// default-backend. If only custom-http-errors is set, it is the controller's default backend.
func (b *builder) findErrorPool(ing *ingress, p *Policy) {
	const annotation = annotations.Prefix + "default-backend"
	if p.Errors.Service == "" {
		if len(p.Errors.Codes) > 0 && b.defaultBackend.Service.Name != "" {
			p.ErrorPool, _ = b.backends.resolve(b.defaultBackend) // its fault is reported once, by addDefaultBackend
		}
		return
	}
	pool, flt := b.backends.resolve(ServicePort{Service: types.NamespacedName{Namespace: ing.Namespace, Name: p.Errors.Service}})
	if flt != nil {
		b.found.add(ing.ref, "metadata.annotations["+annotation+"]", flt.reason)
		return
	}
	p.ErrorPool = pool
}
