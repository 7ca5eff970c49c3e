package admission_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/ingresslab/ingresslab/controller/admission"
)

var service = types.NamespacedName{Namespace: "ingresslab-system", Name: "ingress-controller-admission"}

func configuration(bundle []byte) *admissionregistrationv1.ValidatingWebhookConfiguration {
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "ingresslab"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{
			{Name: "ours", ClientConfig: admissionregistrationv1.WebhookClientConfig{
				CABundle: bundle,
				Service:  &admissionregistrationv1.ServiceReference{Namespace: service.Namespace, Name: service.Name},
			}},
			{Name: "theirs", ClientConfig: admissionregistrationv1.WebhookClientConfig{
				Service: &admissionregistrationv1.ServiceReference{Namespace: "other", Name: service.Name},
			}},
		},
	}
}

// bundleOf returns the current caBundle of our webhook.
func bundleOf(t *testing.T, client *fake.Clientset) []byte {
	t.Helper()
	c, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "ingresslab", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Webhooks[1].ClientConfig.CABundle) > 0 {
		t.Error("the webhook of another owner was changed")
	}
	return c.Webhooks[0].ClientConfig.CABundle
}

func count(bundle []byte) int {
	n := 0
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		n++
	}
	return n
}

// run starts a Registrar; stop waits for its end.
func run(t *testing.T, client *fake.Clientset, replica string) (r *admission.Registrar, stop func()) {
	t.Helper()
	r = admission.NewRegistrar(client, "ingresslab", service, replica, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return r, stop
}

// handshake connects as the API server does: it trusts the caBundle, and expects the name of the
// Service.
func handshake(t *testing.T, config *tls.Config, bundle []byte) error {
	t.Helper()
	here, there := net.Pipe()
	defer func() { _, _ = here.Close(), there.Close() }()
	server := tls.Server(there, config)
	go func() { _ = server.HandshakeContext(t.Context()); _ = server.Close() }()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	return tls.Client(here, &tls.Config{RootCAs: roots,
		ServerName: service.Name + "." + service.Namespace + ".svc"}).HandshakeContext(t.Context())
}

func TestAPIServerTrustsEveryReplica(t *testing.T) {
	g := gomega.NewWithT(t)
	client := fake.NewClientset(configuration(nil))
	first, stopFirst := run(t, client, "c-1")
	// Start one after the other, because the fake API server reports no conflicts.
	g.Eventually(first.Registered).Should(gomega.BeTrue())
	second, _ := run(t, client, "c-2")
	g.Eventually(second.Registered).Should(gomega.BeTrue())
	bundle := bundleOf(t, client)
	g.Expect(count(bundle)).To(gomega.Equal(2))
	g.Expect(handshake(t, first.TLS(), bundle)).To(gomega.Succeed())
	g.Expect(handshake(t, second.TLS(), bundle)).To(gomega.Succeed())

	stopFirst()
	bundle = bundleOf(t, client)
	g.Expect(count(bundle)).To(gomega.Equal(1), "the certificate of the stopped replica must be removed")
	g.Expect(handshake(t, second.TLS(), bundle)).To(gomega.Succeed())
	g.Expect(handshake(t, first.TLS(), bundle)).NotTo(gomega.Succeed())
}

func TestBundleDropsExpiredAndInvalidCertificates(t *testing.T) {
	g := gomega.NewWithT(t)
	client := fake.NewClientset(configuration(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("none")})))
	r, _ := run(t, client, "c-1")
	g.Eventually(r.Registered).Should(gomega.BeTrue())
	g.Expect(count(bundleOf(t, client))).To(gomega.Equal(1))
}

// Two replicas that start together read the same version, so one write conflicts.
func TestRegistrationConflictIsRetried(t *testing.T) {
	g := gomega.NewWithT(t)
	client := fake.NewClientset(configuration(nil))
	var writes atomic.Int32
	client.PrependReactor("update", "validatingwebhookconfigurations", func(k8stesting.Action) (bool, runtime.Object, error) {
		if writes.Add(1) == 1 {
			return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "validatingwebhookconfigurations"}, "ingresslab",
				errors.New("too late"))
		}
		return false, nil, nil
	})
	r, _ := run(t, client, "c-1")
	g.Eventually(r.Registered).Should(gomega.BeTrue())
	g.Expect(writes.Load()).To(gomega.BeEquivalentTo(2))
}

// Without a configuration, the Registrar presents no certificate and keeps retrying.
func TestRegistrarWithoutConfiguration(t *testing.T) {
	g := gomega.NewWithT(t)
	r, _ := run(t, fake.NewClientset(), "c-1")
	g.Consistently(r.Registered, 100*time.Millisecond).Should(gomega.BeFalse())
	g.Expect(handshake(t, r.TLS(), nil)).NotTo(gomega.Succeed())
}
