package scenario_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// script is an ingress whose nth answer is a function of n, counted from 0, and of the request.
type script struct {
	answer func(n int, r probe.Request) probe.Observation

	mu    sync.Mutex
	asked int
}

func (s *script) Do(_ context.Context, r probe.Request) probe.Observation {
	s.mu.Lock()
	n := s.asked
	s.asked++
	s.mu.Unlock()
	return s.answer(n, r)
}

// from is a 200 from a pod in the namespace of run r1.
func from(pod, app string) probe.Observation {
	return probe.Observation{Status: http.StatusOK, Served: &probe.Served{Namespace: "lab-example-r1", Pod: pod, App: app}}
}

// perform runs the steps as run r1 against a fake cluster and a script, and returns the last step's
// report.
func perform(t *testing.T, steps string, answer func(int, probe.Request) probe.Observation) (*fakecluster.Cluster, scenario.StepReport) {
	t.Helper()
	c, _ := fakecluster.New(t)
	report, err := scenario.Run(t.Context(), load(t, steps), scenario.Env{Kube: c, HTTP: &script{answer: answer}, Run: "r1", Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	return c, report.Steps[len(report.Steps)-1]
}

func TestTrafficChecksAllResponses(t *testing.T) {
	// Of every ten answers, one is the canary's, one a 503 of the ingress and one a 404 of a
	// stranger's pod.
	answer := func(n int, _ probe.Request) probe.Observation {
		switch n % 10 {
		case 0:
			return from("web-pod", "web")
		case 1:
			return probe.Observation{Status: http.StatusServiceUnavailable}
		case 2:
			return probe.Observation{Status: http.StatusNotFound, Served: &probe.Served{Namespace: "elsewhere", Pod: "web-pod", App: "web"}}
		}
		return from("main", "main")
	}
	const step = "- apply: web.yaml\n- traffic: {url: http://web.test/, requests: 1000, expect: "
	for expect, want := range map[string]string{
		"{failures: 100}":             "",
		"{failures: 99}":              "failed requests: expected at most 99, observed 100 of 1000, the first: 503",
		"{statuses: [503, 404, 200]}": "",
		"{statuses: [200]}":           "statuses: expected 200, observed 200 and 404 and 503",
		"{pods: 3}":                   "",
		"{pods: 2}": "pods that answered: expected 2, observed 3 (elsewhere/web-pod, lab-example-r1/main, " +
			"lab-example-r1/web-pod)",
		"{share: {app: web, percent: 10}}":       "",
		"{share: {service: web, percent: 10}}":   "",
		"{share: {service: web, percent: 15}}":   "share of service web: expected 15 %, that is 114 to 188, observed 100 of 1000 (10.00 %)",
		"{share: {service: other, percent: 10}}": "share of service other: expected 10 %, that is 70 to 132, observed 0 of 1000 (0.00 %)",
	} {
		_, got := perform(t, step+expect+"}\n", answer)
		if passed := got.Outcome == scenario.Passed; passed != (want == "") || got.Tries != 1000 || !passed && got.Why() != want {
			t.Errorf("%s: %s: %s\nwant %s", expect, got.Outcome, got.Why(), want)
		}
	}
}

func TestSessionKeepsCookiesAndPod(t *testing.T) {
	// The first request of a session gets a cookie, and the pod of the cookie answers until it is
	// gone.
	pods := []string{"a"}
	answer := func(_ int, r probe.Request) probe.Observation {
		at, err := url.Parse(r.URL)
		if err != nil || r.Cookies == nil {
			return from("none", "web")
		}
		if len(r.Cookies.Cookies(at)) == 0 {
			r.Cookies.SetCookies(at, []*http.Cookie{{Name: "pod", Value: pods[0]}})
			pods = append(pods[1:], "b")
		}
		return from(r.Cookies.Cookies(at)[0].Value, "web")
	}
	const ask = "- expect: {url: http://web.test/, session: alice"
	for steps, want := range map[string]string{
		ask + ", status: 200}\n" + ask + ", samePod: true}\n": "",
		ask + ", samePod: true}\n" + ask + ", samePod: false, within: 1ms}\n": "session: expected a pod other " +
			"than a, observed pod a",
		ask + ", status: 200}\n- expect: {url: http://web.test/, session: bob, pod: b}\n" + ask + ", pod: a}\n": "",
		"- traffic: {url: http://web.test/, session: alice, requests: 50, expect: {pods: 1}}\n":                 "",
		ask + ", status: 200}\n- expect: {url: http://web.test/, pod: none}\n":                                  "",
	} {
		pods = []string{"a"}
		if _, got := perform(t, steps, answer); got.Why() != want {
			t.Errorf("%s%s: %q, want %q", steps, got.Outcome, got.Why(), want)
		}
	}
}

func TestCertificateHasItsCAAndHosts(t *testing.T) {
	c, last := perform(t, `
- certificate: {secret: web, hosts: [web.test, "*.web.test"]}
- certificate: {secret: users, ca: users}
- certificate: {client: alice, ca: users}
- expect: {url: https://web.test/, clientCertificate: alice, status: 200}
`, func(_ int, r probe.Request) probe.Observation {
		if r.Certificate == nil || r.Certificate.Leaf.Subject.CommonName != "alice" {
			return probe.Observation{Status: http.StatusBadRequest}
		}
		return probe.Observation{Status: http.StatusOK}
	})
	if last.Outcome != scenario.Passed {
		t.Fatalf("%s: %s", last.Outcome, last.Why())
	}
	server := parse(t, secret(t, c, "web")["tls.crt"])
	roots := x509.NewCertPool()
	roots.AddCert(parse(t, secret(t, c, "web")["ca.crt"]))
	for _, host := range []string{"web.r1.test", "a.web.r1.test"} {
		if _, err := server.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	users := secret(t, c, "users")
	if users["ca.crt"] == secret(t, c, "web")["ca.crt"] || users["tls.key"] != "" {
		t.Errorf("the authority of users is that of the server, or its key is given away: %v", users)
	}
}

func TestExpectComparesCertificateWithSecret(t *testing.T) {
	const steps = "- certificate: {secret: web, hosts: [web.test]}\n- expect: {url: https://web.test/, " +
		"certificate: {secret: web, names: [web.test]}, within: 1ms}\n"
	shown := func(names ...string) func(int, probe.Request) probe.Observation {
		return func(int, probe.Request) probe.Observation {
			return probe.Observation{Status: http.StatusOK, TLS: &probe.TLS{Names: names, Fingerprint: "of another"}}
		}
	}
	if _, got := perform(t, steps,
		shown("web.r1.test")); got.Why() != "certificate: expected that of secret web, observed another one, for web.r1.test" {
		t.Error(got.Why())
	}
	if _, got := perform(t, steps, shown()); got.Why() != "names of the certificate: expected web.r1.test, observed none" {
		t.Error(got.Why())
	}
	missing := "- expect: {url: https://web.test/, certificate: {secret: nothing}, within: 1ms}\n"
	if _, got := perform(t, missing, shown()); !strings.Contains(got.Why(), `certificate of secret nothing: secrets "nothing" not found`) {
		t.Error(got.Why())
	}
	// The controller shows the last good pair, whose certificate may be the same.
	halves := "- certificate: {secret: web, hosts: [web.test]}\n" +
		"- patch: {object: secret/web, merge: {stringData: {tls.key: of another}}}\n- expect: {url: " +
		"https://web.test/, certificate: {secret: web}, within: 1ms}\n"
	if _, got := perform(t, halves, shown("web.r1.test")); got.Outcome != scenario.Failed || !strings.Contains(got.Why(),
		"the pair is invalid: tls: ") {
		t.Error(got.Outcome, got.Why())
	}
}

func TestScaleSetsReplicas(t *testing.T) {
	c, http := fakecluster.New(t)
	s := load(t, "- apply: deployment.yaml\n- scale: {deployment: web, replicas: 10}\n")
	if report, err := scenario.Run(t.Context(), s, scenario.Env{Kube: c, HTTP: http, Run: "r1", Keep: true}); err != nil ||
		report.Outcome != scenario.Passed {
		t.Fatalf("%s: %s, %v", report.Outcome, report.Reason, err)
	}
	web, err := c.Clientset().AppsV1().Deployments("lab-example-r1").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || web.Spec.Replicas == nil || *web.Spec.Replicas != 10 {
		t.Errorf("replicas %v, %v", web.Spec.Replicas, err)
	}
	s = load(t, "- scale: {deployment: nothing, replicas: 1}\n")
	if report, err := scenario.Run(t.Context(), s, scenario.Env{Kube: c, HTTP: http}); err != nil || report.Outcome != scenario.Failed {
		t.Errorf("a deployment that is not there: %s: %s, %v", report.Outcome, report.Reason, err)
	}
}

// secret returns what was written into a Secret.
func secret(t *testing.T, c *fakecluster.Cluster, name string) map[string]string {
	t.Helper()
	s, err := c.Clientset().CoreV1().Secrets("lab-example-r1").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{}
	for key, value := range s.Data {
		data[key] = string(value)
	}
	return data
}

func parse(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("%q is not PEM", text)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}
