package diagnosis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// valid has all objects of a namespace without a fault.
//
//go:embed testdata/valid.yaml
var valid string

// expected is what valid.yaml satisfies.
func expected() diagnosis.About {
	return diagnosis.About{
		Requests: []diagnosis.Request{{Host: "shop.localhost", Path: "/app/x", Service: "shop"}, {Host: "shop.localhost", Path: "/app",
			TLS: true}},
		Objects: []string{"deployment/shop", "service/shop", "ingress/shop", "secret/users"}, NodePorts: []int32{30000},
	}
}

// certificate returns a self-signed certificate and its key.
func certificate(t *testing.T, until time.Time, names ...string) (crt, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: names, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY",
		Bytes: private}))
}

// load decodes manifests into typed objects, with stringData as data.
func load(t *testing.T, manifests string, crt, key string) []runtime.Object {
	t.Helper()
	objects, err := kube.Decode("valid.yaml", []byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	var typed []runtime.Object
	for _, o := range objects {
		text, _, _ := unstructured.NestedStringMap(o.Object, "stringData")
		one, err := scheme.Scheme.New(o.GroupVersionKind())
		if err == nil {
			err = runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, one)
		}
		if err != nil {
			t.Fatal(err)
		}
		if s, is := one.(*corev1.Secret); is {
			s.Data, s.StringData = map[string][]byte{}, nil
			for name, value := range text {
				s.Data[name] = []byte(strings.NewReplacer("CRT", crt, "KEY", key).Replace(value))
			}
		}
		typed = append(typed, one)
	}
	return typed
}

// take returns the snapshot of a cluster with these objects.
func take(t *testing.T, objects []runtime.Object) diagnosis.Snapshot {
	t.Helper()
	s, err := diagnosis.Take(t.Context(), fake.NewClientset(objects...), "lab-1")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNoFindingForValidObjects(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	if found := diagnosis.Diagnose(take(t, load(t, valid, crt, key)), expected()); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}

// mistake is one change to what is valid, and what has to be found first.
type mistake struct {
	old, new string
	about    func(*diagnosis.About)
	code     string
	// The test ignores the empty ones of these.
	object, field, expected, observed string
}

const firstPath = "spec.rules[0].http.paths[0]"

// only makes r the only request of a task.
func only(r diagnosis.Request) func(*diagnosis.About) {
	return func(a *diagnosis.About) { a.Requests, a.Objects = []diagnosis.Request{r}, nil }
}

var mistakes = map[string]mistake{
	"missing Ingress": {old: "  name: shop\n", new: "  name: shopp\n", code: diagnosis.IngressMissing, object: "ingress/shop"},
	"no rule for the host": {about: only(diagnosis.Request{Host: "blog.localhost", Service: "blog"}), code: diagnosis.IngressMissing,
		expected: "a rule for host blog.localhost"},
	"no class": {old: "  ingressClassName: ingresslab\n  tls", new: "  tls", code: diagnosis.ClassMissing,
		field: "spec.ingressClassName", expected: "ingresslab"},
	"missing class":               {old: "ingresslab\n  tls", new: "ingreslab\n  tls", code: diagnosis.ClassUnknown, observed: "ingreslab"},
	"class of another controller": {old: "ingresslab\n  tls", new: "other\n  tls", code: diagnosis.ClassForeign, observed: "other"},
	"missing Deployment": {about: func(a *diagnosis.About) { a.Objects = []string{"deployment/shpo"} },
		code: diagnosis.DeploymentMissing, object: "deployment/shpo"},
	"wrong host": {old: "host: shop.localhost\n", new: "host: shop.1.2.3.4.nip.io\n", code: diagnosis.HostUnmatched,
		field: "spec.rules[0].host", expected: "shop.localhost", observed: "shop.1.2.3.4.nip.io"},
	"Exact instead of Prefix": {old: "/app, pathType: Prefix, backend: {service: {name: shop",
		new: "/app, pathType: Exact, backend: {service: {name: shop", code: diagnosis.PathTypeExact, field: firstPath + ".pathType",
		expected: "Prefix"},
	"wrong path": {old: "/app, pathType: Prefix, backend: {service: {name: shop",
		new: "/ap, pathType: Prefix, backend: {service: {name: shop", code: diagnosis.PathUnmatched, field: firstPath + ".path",
		expected: "/app/x", observed: "/ap"},
	"rule of another namespace": {old: "name: shop\n  namespace: lab-1\n  creation", new: "name: shop\n  namespace: lab-9\n  creation",
		about: func(a *diagnosis.About) { a.Objects = nil }, code: diagnosis.RuleTaken, observed: "ingress lab-9/shop"},
	"missing Service": {old: "name: shop, port", new: "name: shpo, port", code: diagnosis.ServiceMissing, field: firstPath +
		".backend.service.name", expected: "shop", observed: "shpo"},
	"wrong Service": {old: "name: shop, port: {number: 80}", new: "name: beta, port: {number: 80}",
		code: diagnosis.ServiceWrong, expected: "shop", observed: "beta"},
	"no default backend": {about: only(diagnosis.Request{Host: "unknown.localhost", Service: "shop", ByDefault: true}),
		code: diagnosis.DefaultBackendMissing, field: "spec.defaultBackend", expected: "shop"},
	"default backend with a missing Service": {old: "  tls: [", new: "  defaultBackend: {service: {name: shpo, port: {number: 80}}}\n  tls: [",
		code: diagnosis.DefaultBackendMissing, observed: "shpo"},
	"Service name as port name": {old: "name: shop, port: {number: 80}", new: "name: shop, port: {name: shop}",
		code: diagnosis.PortNameIsService, field: firstPath + ".backend.service.port.name", observed: "shop"},
	"missing port name": {old: "port: {name: web}", new: "port: {name: wbe}",
		about: func(a *diagnosis.About) { a.Requests[0].Service, a.Requests[0].Canary = "beta", true }, code: diagnosis.PortNameMissing,
		object: "ingress/beta", expected: "web"},
	"port of the pods": {old: "name: shop, port: {number: 80}", new: "name: shop, port: {number: 8080}",
		code: diagnosis.ServicePortMissing, expected: "80", observed: "8080"},
	"zero replicas": {old: "replicas: 1", new: "replicas: 0", code: diagnosis.ScaledToZero, object: "deployment/shop"},
	"wrong selector": {old: "{name: shop, namespace: lab-1}\nspec: {selector: {app: shop}",
		new: "{name: shop, namespace: lab-1}\nspec: {selector: {app: shpo}", code: diagnosis.SelectorMatchesNothing, object: "service/shop",
		expected: "app=shop", observed: "app=shpo"},
	"missing image": {
		old:  `"True"}], containerStatuses: [{name: web, image: backend:1, state: {running: {}}`,
		new:  `"False"}], containerStatuses: [{name: web, image: backend:9, state: {waiting: {reason: ErrImageNeverPull}}`,
		code: diagnosis.ImageMissing, object: "deployment/shop", observed: "backend:9",
	},
	"pods are not ready": {old: `status: "True"`, new: `status: "False", message: probe failed`, code: diagnosis.PodsNotReady,
		object: "deployment/shop", observed: "probe failed"},
	"closed target port": {old: "[{port: 80, targetPort: 8080}]", new: "[{port: 80, targetPort: 8081}]",
		code: diagnosis.TargetPortClosed, object: "service/shop", field: "spec.ports[0].targetPort", expected: "8080", observed: "8081"},
	"no endpoint": {old: "{kubernetes.io/service-name: shop}", new: "{kubernetes.io/service-name: gone}",
		code: diagnosis.EndpointsNone, object: "service/shop"},
	"wrong node port": {old: "nodePort: 30000", new: "nodePort: 30001", code: diagnosis.NodePortMissing, expected: "30000",
		observed: "30001 (service ingresslab-system/entry)"},
	"missing Secret": {old: "secretName: shop-tls", new: "secretName: shop-tsl", code: diagnosis.SecretMissing,
		field: "spec.tls[0].secretName", expected: "shop-tls"},
	"Secret of type Opaque": {old: "type: kubernetes.io/tls\nstringData: {tls.crt", new: "type: Opaque\nstringData: {server.crt",
		code: diagnosis.SecretTypeWrong, object: "secret/shop-tls", expected: "kubernetes.io/tls"},
	"wrong key in the Secret of users": {old: "{auth: ", new: "{htpasswd: ", code: diagnosis.SecretKeyMissing, object: "secret/users",
		field: "data[auth]", observed: "htpasswd"},
	"auth-type in upper case": {old: "auth-type: basic\n    nginx.ingress.kubernetes.io/auth-secret: users",
		new: "auth-type: Basic\n    nginx.ingress.kubernetes.io/auth-secret: user", code: diagnosis.SecretMissing, expected: "users",
		observed: "user"},
	"invalid certificate": {old: "tls.crt: CRT", new: "tls.crt: nonsense", code: diagnosis.CertificateInvalid,
		object: "secret/shop-tls"},
	"host is not in the certificate": {old: "hosts: [shop.localhost]", new: "hosts: [shop.localhost, www.shop.localhost]",
		code: diagnosis.CertificateHostMismatch, expected: "a certificate for www.shop.localhost", observed: "shop.localhost"},
	"no spec.tls": {old: "  tls: [{hosts: [shop.localhost], secretName: shop-tls}]\n",
		code: diagnosis.CertificateHostMismatch, object: "ingress/shop", observed: "no spec.tls"},
	"line without a hash": {old: `"foo:$apr1$Zqp8R6pV$u0DkYqYV9cE8cnm0ZyGlh/"`, new: "foo bread", code: diagnosis.AuthFileInvalid,
		object: "secret/users"},
	"missing user": {old: `"foo:$apr1`, new: `"Foo:$apr1`, about: func(a *diagnosis.About) { a.Requests[0].User = "foo" },
		code: diagnosis.UserMissing, object: "secret/users", observed: "Foo"},
	"unwanted rule": {about: only(diagnosis.Request{Host: "shop.localhost", Path: "/app", Unserved: true}),
		code: diagnosis.RuleUnwanted, object: "ingress/shop", field: firstPath + ".path", observed: "/app"},
	"misspelled annotation": {old: "auth-type: basic", new: "afinity: cookie\n    nginx.ingress.kubernetes.io/auth-type: basic",
		code: diagnosis.AnnotationUnknown, expected: "nginx.ingress.kubernetes.io/affinity"},
	"wrong annotation prefix": {old: "auth-type: basic", new: "auth-type: basic\n    nginx.ingres.kubernetes.io/affinity: cookie",
		code: diagnosis.AnnotationUnknown, expected: "nginx.ingress.kubernetes.io/affinity"},
	"invalid annotation value": {old: `canary-weight: "5"`, new: `canary-weight: "five"`, code: diagnosis.AnnotationInvalid,
		object: "ingress/beta", observed: "five"},
	"canary with another path": {old: "/app, pathType: Prefix, backend: {service: {name: beta",
		new: "/b, pathType: Prefix, backend: {service: {name: beta", code: diagnosis.CanaryWithoutMain, object: "ingress/beta"},
	"canary with another host": {old: "host: shop.localhost # the", new: "host: beta.localhost # the", code: diagnosis.CanaryHostDiffers,
		expected: "shop.localhost", observed: "beta.localhost"},
	"unknown setting": {old: `{hsts: "true"}`, new: `{enable-sticky-sesions: "true"}`, code: diagnosis.ConfigMapInvalid,
		object: "configmap/ingresslab-controller", field: "data[enable-sticky-sesions]"},
}

func TestDiagnoseFindsMistakeFirst(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	seen := []string{diagnosis.ControllerSays}
	for name, m := range mistakes {
		seen = append(seen, m.code)
		t.Run(name, func(t *testing.T) {
			manifests := strings.Replace(valid, m.old, m.new, 1)
			if m.old != "" && manifests == valid {
				t.Fatalf("valid.yaml does not contain %q", m.old)
			}
			about := expected()
			if m.about != nil {
				m.about(&about)
			}
			objects := load(t, manifests, crt, key)
			if m.code == diagnosis.ScaledToZero {
				objects = slices.DeleteFunc(objects, func(o runtime.Object) bool { _, is := o.(*corev1.Pod); return is })
			}
			found := diagnosis.Diagnose(take(t, objects), about)
			if len(found) == 0 {
				t.Fatal("no finding")
			}
			f := found[0]
			for _, field := range []struct{ name, got, want string }{
				{"object", f.Object, m.object}, {"field", f.Field, m.field}, {"expected", f.Expected, m.expected}, {"observed", f.Observed, m.observed},
			} {
				if field.want != "" && field.got != field.want {
					t.Errorf("%s is %q, want %q", field.name, field.got, field.want)
				}
			}
			if f.Code != m.code || f.Text == "" {
				t.Errorf("first finding is %s, want %s; all: %+v", f.Code, m.code, found)
			}
			if levels := f.Levels(); len(levels) != 3 || slices.Contains(levels, "") {
				t.Errorf("levels %q", levels)
			}
		})
	}
	for _, code := range diagnosis.Codes() {
		if !slices.Contains(seen, code) {
			t.Errorf("no mistake causes %s", code)
		}
	}
}

func TestExpiredCertificate(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(-48*time.Hour), "shop.localhost")
	found := diagnosis.Diagnose(take(t, load(t, valid, crt, key)), expected())
	if len(found) != 1 || found[0].Code != diagnosis.CertificateInvalid || !strings.Contains(found[0].Text, "expired on") {
		t.Errorf("found %+v", found)
	}
}

func TestRuleOfOlderIngressWins(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	objects := load(t, strings.Replace(valid, `{nginx.ingress.kubernetes.io/canary: "true", nginx.ingress.kubernetes.io/canary-weight: "5"}`,
		"{}", 1), crt, key)
	found := diagnosis.Diagnose(take(t, objects), expected())
	if len(found) != 1 || found[0].Code != diagnosis.RuleTaken || found[0].Object != "ingress/beta" ||
		found[0].Observed != "ingress lab-1/shop" {
		t.Errorf("found %+v", found)
	}
}

// If only an Ingress of another namespace has the host, the finding is ingress-missing and not
// rule-taken.
func TestIngressInWrongNamespace(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	s := take(t, load(t, valid, crt, key))
	s.Namespace = "lab-7"
	found := diagnosis.Diagnose(s, diagnosis.About{Requests: []diagnosis.Request{{Host: "shop.localhost", Path: "/app"}}})
	if len(found) != 1 || found[0].Code != diagnosis.IngressMissing || found[0].Observed != "lab-1" || found[0].Expected != "lab-7" {
		t.Errorf("found %+v", found)
	}
}

func TestDiagnoseIgnoresHostsOfOtherTasks(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	s := take(t, load(t, strings.Replace(valid, "name: users, namespace", "name: others, namespace", 1), crt, key))
	about := diagnosis.About{OtherHosts: []string{"shop.localhost"}, Requests: []diagnosis.Request{{Host: "blog.localhost", Service: "blog"}}}
	found := diagnosis.Diagnose(s, about)
	if len(found) != 1 || found[0].Code != diagnosis.IngressMissing {
		t.Errorf("found %+v", found)
	}
}

func TestDiagnoseEmptyNamespace(t *testing.T) {
	s := diagnosis.Snapshot{Namespace: "lab-1", Deployments: []appsv1.Deployment{}, EndpointSlices: []discoveryv1.EndpointSlice{}}
	found := diagnosis.Diagnose(s, expected())
	var codes []string
	for _, f := range found {
		codes = append(codes, f.Code)
	}
	for _, want := range []string{diagnosis.IngressMissing, diagnosis.DeploymentMissing, diagnosis.ServiceMissing, diagnosis.SecretMissing,
		diagnosis.NodePortMissing} {
		if !slices.Contains(codes, want) {
			t.Errorf("%s is not among %v", want, codes)
		}
	}
}

func TestEveryCodeHasHints(t *testing.T) {
	for name, m := range mistakes {
		if !slices.Contains(diagnosis.Codes(), m.code) {
			t.Errorf("%s: hints.yaml has no hints for the code %s", name, m.code)
		}
	}
}
