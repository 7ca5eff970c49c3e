package controller_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// shownTo returns the serial number of the certificate for a host.
func (r *running) shownTo(host string) func() string {
	return func() string {
		conn, err := tls.Dial("tcp", r.HTTPS, &tls.Config{ServerName: host, InsecureSkipVerify: true}) // the test compares the certificate
		if err != nil {
			return err.Error()
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
}

func shopWithTLS(t testing.TB) (*lab, *corev1.Secret) {
	web, cert := ingress("web", "lab", "shop.test"), tlsSecret(t, "cert", "shop.test")
	web.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{"shop.test"}, SecretName: "cert"}}
	l := newLab(t, ours(), web, service("web"), endpoints("web", "10.0.0.1:80"), cert)
	l.says("10.0.0.1:80", "web")
	return l, cert
}

// A new certificate applies to the next handshake. Open connections continue.
func TestCertificateRotation(t *testing.T) {
	l, cert := shopWithTLS(t)
	c := l.start()
	l.watching("secrets", 1)
	l.Expect(c.shownTo("shop.test")()).To(gomega.Equal(serialOf(t, cert)), "the first handshake must get it")
	l.Expect(c.shownTo("other.test")()).NotTo(gomega.Equal(serialOf(t, cert)))

	standing := &http.Transport{TLSClientConfig: &tls.Config{ServerName: "shop.test", InsecureSkipVerify: true}} // self-signed
	defer standing.CloseIdleConnections()
	get := func() string {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+c.HTTPS+"/", nil)
		l.Expect(err).NotTo(gomega.HaveOccurred())
		request.Host = "shop.test"
		response, err := standing.RoundTrip(request)
		l.Expect(err).NotTo(gomega.HaveOccurred())
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		l.Expect(err).NotTo(gomega.HaveOccurred())
		return string(body) + " " + response.TLS.PeerCertificates[0].SerialNumber.String()
	}
	l.Expect(get()).To(gomega.Equal("web " + serialOf(t, cert)))
	next := tlsSecret(t, "cert", "shop.test")
	l.put(next)
	l.Eventually(c.shownTo("shop.test")).Should(gomega.Equal(serialOf(t, next)))
	l.Expect(get()).To(gomega.Equal("web "+serialOf(t, cert)), "the open connection must keep its certificate")
}

func TestLastValidCertificateIsKept(t *testing.T) {
	l, cert := shopWithTLS(t)
	c := l.start()
	l.watching("secrets", 1)
	l.put(secret("cert", map[string]string{"tls.crt": "broken", "tls.key": "broken"}))
	l.Eventually(l.reasons).Should(gomega.ContainElement("SecretInvalid"))
	l.Expect(c.shownTo("shop.test")()).To(gomega.Equal(serialOf(t, cert)))
	l.Expect(l.client.CoreV1().Secrets("shop").Delete(t.Context(), "cert", metav1.DeleteOptions{})).To(gomega.Succeed())
	l.Eventually(l.reasons).Should(gomega.ContainElement("ReferenceNotFound"))
	l.Expect(c.shownTo("shop.test")()).To(gomega.Equal(serialOf(t, cert)))
	next := tlsSecret(t, "cert", "shop.test")
	l.put(next)
	l.Eventually(c.shownTo("shop.test")).Should(gomega.Equal(serialOf(t, next)))
}

// reasons returns the reasons of the Events.
func (l *lab) reasons() []string {
	list, err := l.client.CoreV1().Events("").List(l.t.Context(), metav1.ListOptions{})
	l.Expect(err).NotTo(gomega.HaveOccurred())
	var all []string
	for _, event := range list.Items {
		all = append(all, event.Reason)
	}
	return all
}

const annotation = "nginx.ingress.kubernetes.io/"

func protected(name string) *networkingv1.Ingress {
	web := ingress("web", "lab", "shop.test")
	web.Annotations = map[string]string{annotation + "auth-type": "basic", annotation + "auth-secret": name}
	return web
}

// A route stays blocked until its users are loaded. Then only they can log in.
func TestUsersAddedLater(t *testing.T) {
	l := newLab(t, ours(), protected("users"), service("web"), endpoints("web", "10.0.0.1:80"))
	l.says("10.0.0.1:80", "web")
	c := l.start()
	l.watching("secrets", 1)
	l.Expect(c.get("shop.test", "/")).To(gomega.HavePrefix("503 "))
	l.Eventually(l.reasons).Should(gomega.ContainElement("ReferenceNotFound"))
	l.put(secret("users", map[string]string{"auth": "ali:{PLAIN}sesame\n"}))
	l.Eventually(c.getter("shop.test", "/")).Should(gomega.HavePrefix("401 "))
	l.Expect(c.getAs("shop.test", "ali", "sesame")).To(gomega.Equal(200))
	l.Expect(c.getAs("shop.test", "ali", "sesam")).To(gomega.Equal(401))
	l.put(secret("users", map[string]string{"auth": "cassim:{PLAIN}sesame\n"}))
	l.Eventually(func() int { return c.getAs("shop.test", "ali", "sesame") }).Should(gomega.Equal(401))
	l.Expect(l.client.CoreV1().Secrets("shop").Delete(t.Context(), "users", metav1.DeleteOptions{})).To(gomega.Succeed())
	l.Eventually(func() int { return c.getAs("shop.test", "cassim", "sesame") }).Should(gomega.Equal(503))
}

func (r *running) getAs(host, user, password string) int {
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.HTTP+"/", nil)
	r.Expect(err).NotTo(gomega.HaveOccurred())
	request.Host = host
	request.SetBasicAuth(user, password)
	response, err := http.DefaultClient.Do(request)
	r.Expect(err).NotTo(gomega.HaveOccurred())
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

// The controller does not read a Secret in another namespace until the ConfigMap allows it, without
// a restart.
func TestSecretOfAnotherNamespace(t *testing.T) {
	foreign := secret("users", map[string]string{"auth": "ali:{PLAIN}sesame\n"})
	foreign.Namespace = "vault"
	l := newLab(t, ours(), protected("vault/users"), service("web"), endpoints("web", "10.0.0.1:80"), foreign)
	l.config.ConfigMap = types.NamespacedName{Namespace: "kube", Name: "settings"}
	l.says("10.0.0.1:80", "web")
	c := l.start()
	l.watching("configmaps", 1)
	l.Expect(c.getAs("shop.test", "ali", "sesame")).To(gomega.Equal(503))
	l.Eventually(l.reasons).Should(gomega.ContainElement("CrossNamespace"))
	for _, action := range l.client.Actions() {
		if action.GetResource().Resource == "secrets" {
			t.Errorf("%s of secrets in namespace %q", action.GetVerb(), action.GetNamespace())
		}
	}
	l.put(settings("allow-cross-namespace-resources", "true"))
	l.Eventually(func() int { return c.getAs("shop.test", "ali", "sesame") }).Should(gomega.Equal(200))
}

func settings(pairs ...string) *corev1.ConfigMap {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube", Name: "settings"}, Data: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		m.Data[pairs[i]] = pairs[i+1]
	}
	return m
}

func TestSettingsApplyWithoutRestart(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), service("web"), endpoints("web", "10.0.0.1:80"), settings())
	l.config.ConfigMap = types.NamespacedName{Namespace: "kube", Name: "settings"}
	l.level.Set(slog.LevelWarn)
	l.says("10.0.0.1:80", "web")
	c := l.start()
	l.watching("configmaps", 1)
	l.Expect(c.get("shop.test", "/json")).To(gomega.Equal("200 web"))
	l.put(settings("access-log-format", "combined", "log-level", "debug"))
	l.Eventually(l.level.Level).Should(gomega.Equal(slog.LevelDebug))
	l.Expect(c.get("shop.test", "/combined")).To(gomega.Equal("200 web"))
	l.Eventually(c.accessLog.String).Should(gomega.And(
		gomega.MatchRegexp(`(?m)^\{.*"path":"/json"`), gomega.MatchRegexp(`(?m)^127\.0\.0\.1 - - \[.*"GET /combined HTTP/1\.1" 200 3 `)))
	l.put(settings("access-log-format", "of"))
	l.Eventually(l.level.Level).Should(gomega.Equal(slog.LevelWarn), "the flag applies again")
	l.Eventually(l.reasons).ShouldNot(gomega.BeEmpty(), "the wrong value is told")
}
