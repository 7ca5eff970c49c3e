package controller_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"testing"

	"github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/ingresslab/ingresslab/controller/admission"
)

// webhook is the installed ValidatingWebhookConfiguration.
func webhook(t *testing.T) *admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	text, err := os.ReadFile("../manifests/admission/validatingwebhookconfiguration.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var configuration admissionregistrationv1.ValidatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(text, &configuration); err != nil {
		t.Fatal(err)
	}
	return &configuration
}

// review sends a review as the API server does: to the name of the Service, with the CA in
// caBundle.
func (r *running) review(t *testing.T, object runtime.Object) *admissionv1.AdmissionResponse {
	t.Helper()
	client := webhookClient(t, r)
	raw, err := json.Marshal(object)
	r.Expect(err).NotTo(gomega.HaveOccurred())
	question, err := json.Marshal(admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID: "1", Operation: admissionv1.Create, Namespace: "lab",
		Resource: metav1.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
		Object:   runtime.RawExtension{Raw: raw},
	}})
	r.Expect(err).NotTo(gomega.HaveOccurred())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+r.Admission+admission.Path, bytes.NewReader(question))
	r.Expect(err).NotTo(gomega.HaveOccurred())
	response, err := client.Do(request)
	r.Expect(err).NotTo(gomega.HaveOccurred())
	defer func() { _ = response.Body.Close() }()
	var answer admissionv1.AdmissionReview
	r.Expect(json.NewDecoder(response.Body).Decode(&answer)).To(gomega.Succeed())
	return answer.Response
}

func webhookClient(t *testing.T, r *running) *http.Client {
	t.Helper()
	config, err := r.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "ingresslab", metav1.GetOptions{})
	r.Expect(err).NotTo(gomega.HaveOccurred())
	to := config.Webhooks[0].ClientConfig
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(to.CABundle)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots,
		ServerName: to.Service.Name + "." + to.Service.Namespace + ".svc"}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// startReviewing starts a controller and waits until its certificate is in the caBundle.
func (l *lab) startReviewing(t *testing.T) *running {
	t.Helper()
	l.config.Admission, l.config.AdmissionPort, l.config.PodNamespace = true, 0, "ingresslab-system"
	r := l.start()
	l.Eventually(func() []byte {
		config, err := l.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "ingresslab", metav1.GetOptions{})
		l.Expect(err).NotTo(gomega.HaveOccurred())
		return config.Webhooks[0].ClientConfig.CABundle
	}).ShouldNot(gomega.BeEmpty())
	return r
}

func TestReviewRejectsConflict(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), webhook(t))
	r := l.startReviewing(t)
	second := r.review(t, ingress("second", "lab", "shop.test"))
	l.Expect(second.Allowed).To(gomega.BeFalse())
	l.Expect(second.Result.Message).To(gomega.ContainSubstring("is not served: ingress shop/web has"))
	l.Expect(r.review(t, ingress("other", "lab", "other.test")).Allowed).To(gomega.BeTrue())
}

// The controller watches the Secret of a new Ingress only after the Ingress exists. Until then, the
// Secret does not count as missing.
func TestReviewDoesNotReportUnwatchedSecret(t *testing.T) {
	l := newLab(t, ours(), service("web"), endpoints("web", "10.0.0.1:80"), tlsSecret(t, "cert", "shop.test"), webhook(t))
	r := l.startReviewing(t)
	web := ingress("web", "lab", "shop.test")
	web.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{"shop.test"}, SecretName: "cert"}}
	answer := r.review(t, web)
	l.Expect(answer.Allowed).To(gomega.BeTrue())
	l.Expect(answer.Warnings).To(gomega.BeEmpty())
}
