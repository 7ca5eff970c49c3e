package scenario

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ingresslab/ingresslab/internal/pki"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// Certificate is a certificate to create. If hosts is given, it is for a server; if client is
// given, it is for a client. If neither is given, the Secret has only the CA certificate.
type Certificate struct {
	// Name of the Secret for tls.crt, tls.key, and the CA's ca.crt. An existing Secret is replaced.
	Secret string `yaml:"secret,omitempty"`
	// The DNS names in a server's certificate.
	Hosts Strings `yaml:"hosts,omitempty"`
	// The name of a client, by which expect presents the certificate.
	Client string `yaml:"client,omitempty"`
	// Name of the certificate authority (CA) that signs the certificate; "lab" if not given. The
	// first step with a name creates the CA.
	CA string `yaml:"ca,omitempty"`
}

func (cert Certificate) validate(c *checker, path string) {
	if cert.Secret == "" && cert.Client == "" {
		c.fault(path, "needs secret or client")
	}
	if cert.Client != "" {
		c.clients = append(c.clients, cert.Client)
		if len(cert.Hosts) > 0 {
			c.fault(path, "hosts and client cannot be combined; use two steps")
		}
	}
	for i, host := range cert.Hosts {
		at := fmt.Sprintf("%s.hosts[%d]", path, i)
		if name := strings.ToLower(strings.TrimPrefix(host, "*.")); len(validation.IsDNS1123Subdomain(name)) > 0 {
			c.fault(at, "%q is not a DNS name", host)
		}
	}
}

func (cert Certificate) traits() traits { return traits{inSolution: true, certificate: &cert} }

func (cert Certificate) describe(names isolation) string {
	var of string
	switch {
	case len(cert.Hosts) > 0:
		of = "for " + strings.Join(names.texts(cert.Hosts), ", ")
	case cert.Client != "":
		of = "of client " + cert.Client
	default:
		of = "of a CA"
	}
	if cert.CA != "" {
		of += " (" + cert.CA + ")"
	}
	if cert.Secret != "" {
		of += " in secret " + cert.Secret
	}
	return "create a certificate " + of
}

// defaultAuthority is the name of the CA if a step has no ca.
const defaultAuthority = "lab"

// validity is longer than a run. It can be short, because only the run trusts the certificates.
const validity = 24 * time.Hour

// run creates a certificate. It remembers a client's certificate for later steps, and stores the
// certificate in the Secret if one is given.
func (cert Certificate) run(ctx context.Context, r *runner, report *StepReport) error {
	signer, err := r.authority(cert.CA)
	if err != nil {
		return report.broken(err)
	}
	var pair *pki.KeyPair
	switch hosts := r.names.texts(cert.Hosts); {
	case len(hosts) > 0:
		pair, err = issue(signer, pki.Leaf{User: hosts[0], Hosts: hosts, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	case cert.Client != "":
		if pair, err = issue(signer, pki.Leaf{User: cert.Client}); err == nil {
			var client tls.Certificate
			client, err = pair.TLS()
			r.clients[cert.Client] = &client
		}
	}
	if err != nil {
		return report.broken(err)
	}
	if cert.Secret == "" {
		report.Outcome = Passed
		return nil
	}
	secret := r.names.object(secretOf(cert.Secret, signer, pair))
	r.remember([]*unstructured.Unstructured{secret})
	err = r.env.Kube.Apply(ctx, secret)
	return report.refused(err)
}

// authority returns the CA with a name. It creates the CA on first use.
func (r *runner) authority(name string) (*pki.Authority, error) {
	name = cmp.Or(name, defaultAuthority)
	if a := r.authorities[name]; a != nil {
		return a, nil
	}
	a, err := pki.NewAuthority(name, validity)
	if err != nil {
		return nil, err
	}
	r.authorities[name] = a
	return a, nil
}

func issue(signer *pki.Authority, leaf pki.Leaf) (*pki.KeyPair, error) {
	pair, err := signer.Issue(leaf)
	return &pair, err
}

// secretOf returns the Secret of a certificate, or of the CA alone. The type is that of `kubectl
// create secret tls` (https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets).
// ingress-nginx reads CAs from ca.crt.
func secretOf(name string, signer *pki.Authority, pair *pki.KeyPair) *unstructured.Unstructured {
	data := map[string]any{"ca.crt": string(signer.PEM)}
	secretType := corev1.SecretTypeOpaque
	if pair != nil {
		data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey] = string(pair.Certificate), string(pair.Key)
		secretType = corev1.SecretTypeTLS
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name}, "type": string(secretType), "stringData": data,
	}}
}

// noPairError reports a Secret without a valid certificate and key. This is a failure of the
// scenario, not of the lab.
type noPairError struct{ error }

// fingerprint returns the fingerprint of the certificate in a Secret with a valid key.
func (r *runner) fingerprint(ctx context.Context, name string) (string, error) {
	secret, err := r.env.Kube.Clientset().CoreV1().Secrets(r.names.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	if block == nil {
		return "", noPairError{fmt.Errorf("%s has no certificate", corev1.TLSCertKey)}
	}
	// If the key is invalid, the controller keeps the last valid pair, which might have this
	// certificate.
	if _, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]); err != nil {
		return "", noPairError{fmt.Errorf("the pair is invalid: %w", err)}
	}
	return probe.Fingerprint(block.Bytes), nil
}
