package scenario

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// defaultAuthority signs what names no other authority.
const defaultAuthority = "lab"

// certify makes a certificate, keeps it if it is a client's, and puts it into its Secret if it has one.
func (r *runner) certify(ctx context.Context, c Certificate, report *StepReport) error {
	signer, err := r.authority(c.CA)
	if err != nil {
		report.Outcome = Broken
		return err
	}
	var made *tls.Certificate
	switch {
	case len(c.Hosts) > 0:
		made, err = signer.server(r.names.texts(c.Hosts))
	case c.Client != "":
		made, err = signer.client(c.Client)
		r.clients[c.Client] = made
	}
	if err != nil {
		report.Outcome = Broken
		return err
	}
	if c.Secret == "" {
		report.Outcome = Passed
		return nil
	}
	secret, err := secretOf(c.Secret, signer, made)
	if err == nil {
		secret = r.names.object(secret)
		r.remember([]*unstructured.Unstructured{secret})
		err = r.env.Kube.Apply(ctx, secret)
	}
	report.Outcome = outcomeOf(err)
	return err
}

// authority returns the run's authority of a name, and makes it the first time.
func (r *runner) authority(name string) (*authority, error) {
	if name == "" {
		name = defaultAuthority
	}
	if a := r.authorities[name]; a != nil {
		return a, nil
	}
	a, err := newAuthority(name)
	if err != nil {
		return nil, err
	}
	r.authorities[name] = a
	return a, nil
}

// secretOf returns the Secret of a certificate; without one it holds the authority alone. The type is that of `kubectl
// create secret tls` (https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets); ca.crt is where
// ingress-nginx looks for authorities.
func secretOf(name string, signer *authority, made *tls.Certificate) (*unstructured.Unstructured, error) {
	data := map[string]any{"ca.crt": pemOf(signer.certificate)}
	secretType := corev1.SecretTypeOpaque
	if made != nil {
		key, err := keyOf(made)
		if err != nil {
			return nil, err
		}
		data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey] = pemOf(made.Leaf), key
		secretType = corev1.SecretTypeTLS
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name}, "type": string(secretType), "stringData": data,
	}}, nil
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
