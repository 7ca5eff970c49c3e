package scenario

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/pki"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// defaultAuthority signs what names no other authority.
const defaultAuthority = "lab"

// validity exceeds the duration of a run. It is short, because only the run trusts the certificates.
const validity = 24 * time.Hour

// certify makes a certificate, keeps it if it is a client's, and puts it into its Secret if it has one.
func (r *runner) certify(ctx context.Context, c Certificate, report *StepReport) error {
	signer, err := r.authority(c.CA)
	if err != nil {
		report.Outcome = Broken
		return err
	}
	var pair *pki.KeyPair
	switch hosts := r.names.texts(c.Hosts); {
	case len(hosts) > 0:
		pair, err = issue(signer, pki.Leaf{User: hosts[0], Hosts: hosts, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	case c.Client != "":
		if pair, err = issue(signer, pki.Leaf{User: c.Client}); err == nil {
			var client tls.Certificate
			client, err = pair.TLS()
			r.clients[c.Client] = &client
		}
	}
	if err != nil {
		report.Outcome = Broken
		return err
	}
	if c.Secret == "" {
		report.Outcome = Passed
		return nil
	}
	secret := r.names.object(secretOf(c.Secret, signer, pair))
	r.remember([]*unstructured.Unstructured{secret})
	err = r.env.Kube.Apply(ctx, secret)
	report.Outcome = outcomeOf(err)
	return err
}

// authority returns the run's authority of a name, and makes it the first time.
func (r *runner) authority(name string) (*pki.Authority, error) {
	if name == "" {
		name = defaultAuthority
	}
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

// secretOf returns the Secret of a certificate; without one it holds the authority alone. The type is that of `kubectl
// create secret tls` (https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets); ca.crt is where
// ingress-nginx looks for authorities.
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

// noPairError says that a Secret holds no certificate with its key: what is in it is wrong, and not the lab broken.
type noPairError struct{ error }

// fingerprint returns that of the certificate which a Secret holds now, with its key.
func (r *runner) fingerprint(ctx context.Context, name string) (string, error) {
	secret, err := r.env.Kube.Clientset().CoreV1().Secrets(r.names.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	if block == nil {
		return "", noPairError{fmt.Errorf("%s holds no certificate", corev1.TLSCertKey)}
	}
	// The controller goes on with the last good pair, which may have the same certificate.
	if _, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]); err != nil {
		return "", noPairError{fmt.Errorf("nobody can show it: %w", err)}
	}
	return probe.Fingerprint(block.Bytes), nil
}
