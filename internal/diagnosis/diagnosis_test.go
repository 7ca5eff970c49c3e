package diagnosis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
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

// right is a namespace in which shop.localhost is served over HTTP and HTTPS, with a password and a canary. The keys of its
// certificate are put in by load.
const right = `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: ingresslab}
spec: {controller: ingresslab.dev/ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: other}
spec: {controller: example.com/other}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: lab-1
  creationTimestamp: "2026-01-01T00:00:00Z"
  annotations:
    nginx.ingress.kubernetes.io/auth-type: basic
    nginx.ingress.kubernetes.io/auth-secret: users
spec:
  ingressClassName: ingresslab
  tls: [{hosts: [shop.localhost], secretName: shop-tls}]
  rules:
  - host: shop.localhost
    http:
      paths:
      - {path: /app, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: beta
  namespace: lab-1
  creationTimestamp: "2026-01-01T00:00:01Z"
  annotations: {nginx.ingress.kubernetes.io/canary: "true", nginx.ingress.kubernetes.io/canary-weight: "5"}
spec:
  ingressClassName: ingresslab
  rules:
  - host: shop.localhost # the canary's
    http:
      paths:
      - {path: /app, pathType: Prefix, backend: {service: {name: beta, port: {name: web}}}}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: lab-1}
spec: {selector: {app: shop}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: beta, namespace: lab-1}
spec: {selector: {app: shop}, ports: [{name: web, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: lab-1}
spec: {replicas: 1, selector: {matchLabels: {app: shop}}, template: {metadata: {labels: {app: shop}}}}
---
apiVersion: v1
kind: Pod
metadata:
  name: shop-5d4-x2
  namespace: lab-1
  labels: {app: shop, pod-template-hash: 5d4}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: shop-5d4, uid: u, controller: true}]
spec: {containers: [{name: web, image: backend:1, ports: [{containerPort: 8080}]}]}
status: {conditions: [{type: Ready, status: "True"}], containerStatuses: [{name: web, image: backend:1, state: {running: {}}}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop-1, namespace: lab-1, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: beta-1, namespace: lab-1, labels: {kubernetes.io/service-name: beta}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1]}]
---
apiVersion: v1
kind: Secret
metadata: {name: shop-tls, namespace: lab-1}
type: kubernetes.io/tls
stringData: {tls.crt: CRT, tls.key: KEY}
---
apiVersion: v1
kind: Secret
metadata: {name: users, namespace: lab-1}
stringData: {auth: "foo:$apr1$Zqp8R6pV$u0DkYqYV9cE8cnm0ZyGlh/"}
---
apiVersion: v1
kind: Service
metadata: {name: entry, namespace: ingresslab-system}
spec: {type: NodePort, ports: [{port: 80, nodePort: 30000}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ingresslab-controller, namespace: ingresslab-system}
data: {hsts: "true"}
`

// asked is what right answers.
func asked() diagnosis.About {
	return diagnosis.About{
		Requests: []diagnosis.Request{{Host: "shop.localhost", Path: "/app/x", Service: "shop"}, {Host: "shop.localhost", Path: "/app",
			TLS: true}},
		Objects: []string{"deployment/shop", "service/shop", "ingress/shop", "secret/users"}, NodePorts: []int32{30000},
	}
}

// certificate makes a self-signed one.
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

// load decodes manifests, as the API server has them.
func load(t *testing.T, manifests string, crt, key string) []runtime.Object {
	t.Helper()
	objects, err := kube.Decode("right.yaml", []byte(manifests))
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

// take takes the snapshot of a cluster that holds the objects.
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
	if found := diagnosis.Diagnose(take(t, load(t, right, crt, key)), asked()); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}

// mistake is one change to what is right, and what has to be found first.
type mistake struct {
	old, new string
	about    func(*diagnosis.About)
	code     string
	// object, field, expected and observed are those of the finding; empty ones are not looked at.
	object, field, expected, observed string
}

func mistakes() map[string]mistake {
	const paths = "spec.rules[0].http.paths[0]"
	only := func(r diagnosis.Request) func(*diagnosis.About) {
		return func(a *diagnosis.About) { a.Requests, a.Objects = []diagnosis.Request{r}, nil }
	}
	return map[string]mistake{
		"no ingress of the name": {old: "  name: shop\n", new: "  name: shopp\n", code: diagnosis.IngressMissing, object: "ingress/shop"},
		"no rule for the host": {about: only(diagnosis.Request{Host: "blog.localhost", Service: "blog"}), code: diagnosis.IngressMissing,
			expected: "a rule for host blog.localhost"},
		"no class": {old: "  ingressClassName: ingresslab\n  tls", new: "  tls", code: diagnosis.ClassMissing,
			field: "spec.ingressClassName", expected: "ingresslab"},
		"a class that is not there":  {old: "ingresslab\n  tls", new: "ingreslab\n  tls", code: diagnosis.ClassUnknown, observed: "ingreslab"},
		"another controller's class": {old: "ingresslab\n  tls", new: "other\n  tls", code: diagnosis.ClassForeign, observed: "other"},
		"no deployment": {about: func(a *diagnosis.About) { a.Objects = []string{"deployment/shpo"} },
			code: diagnosis.DeploymentMissing, object: "deployment/shpo"},
		"another host": {old: "host: shop.localhost\n", new: "host: shop.1.2.3.4.nip.io\n", code: diagnosis.HostUnmatched,
			field: "spec.rules[0].host", expected: "shop.localhost", observed: "shop.1.2.3.4.nip.io"},
		"Exact for Prefix": {old: "/app, pathType: Prefix, backend: {service: {name: shop",
			new: "/app, pathType: Exact, backend: {service: {name: shop", code: diagnosis.PathTypeExact, field: paths + ".pathType",
			expected: "Prefix"},
		"another path": {old: "/app, pathType: Prefix, backend: {service: {name: shop",
			new: "/ap, pathType: Prefix, backend: {service: {name: shop", code: diagnosis.PathUnmatched, field: paths + ".path",
			expected: "/app/x", observed: "/ap"},
		"a rule of somebody else": {old: "name: shop\n  namespace: lab-1\n  creation", new: "name: shop\n  namespace: lab-9\n  creation",
			about: func(a *diagnosis.About) { a.Objects = nil }, code: diagnosis.RuleTaken, observed: "ingress lab-9/shop"},
		"no such service": {old: "name: shop, port", new: "name: shpo, port", code: diagnosis.ServiceMissing, field: paths +
			".backend.service.name", expected: "shop", observed: "shpo"},
		"the wrong service": {old: "name: shop, port: {number: 80}", new: "name: beta, port: {number: 80}",
			code: diagnosis.ServiceWrong, expected: "shop", observed: "beta"},
		"no default backend": {about: only(diagnosis.Request{Host: "nobody.localhost", Service: "shop", ByDefault: true}),
			code: diagnosis.DefaultBackendMissing, field: "spec.defaultBackend", expected: "shop"},
		"a default that is not there": {old: "  tls: [", new: "  defaultBackend: {service: {name: shpo, port: {number: 80}}}\n  tls: [",
			code: diagnosis.DefaultBackendMissing, observed: "shpo"},
		"a service's name for a port": {old: "name: shop, port: {number: 80}", new: "name: shop, port: {name: shop}",
			code: diagnosis.PortNameIsService, field: paths + ".backend.service.port.name", observed: "shop"},
		"a port name that is not": {old: "port: {name: web}", new: "port: {name: wbe}",
			about: func(a *diagnosis.About) { a.Requests[0].Service, a.Requests[0].Canary = "beta", true }, code: diagnosis.PortNameMissing,
			object: "ingress/beta", expected: "web"},
		"the pods' port": {old: "name: shop, port: {number: 80}", new: "name: shop, port: {number: 8080}",
			code: diagnosis.ServicePortMissing, expected: "80", observed: "8080"},
		"no pods wanted": {old: "replicas: 1", new: "replicas: 0", code: diagnosis.ScaledToZero, object: "deployment/shop"},
		"another selector": {old: "{name: shop, namespace: lab-1}\nspec: {selector: {app: shop}",
			new: "{name: shop, namespace: lab-1}\nspec: {selector: {app: shpo}", code: diagnosis.SelectorMatchesNothing, object: "service/shop",
			expected: "app=shop", observed: "app=shpo"},
		"an image that is not there": {old: `{type: Ready, status: "True"}], containerStatuses: [{name: web, image: backend:1, state: {running: {}}`, new: `{type: Ready, status: "False"}], containerStatuses: [{name: web, image: backend:9, state: {waiting: {reason: ErrImageNeverPull}}`, code: diagnosis.ImageMissing, object: "deployment/shop", observed: "backend:9"},
		"pods that are not ready": {old: `status: "True"`, new: `status: "False", message: probe failed`, code: diagnosis.PodsNotReady,
			object: "deployment/shop", observed: "probe failed"},
		"a port nobody listens on": {old: "[{port: 80, targetPort: 8080}]", new: "[{port: 80, targetPort: 8081}]",
			code: diagnosis.TargetPortClosed, object: "service/shop", field: "spec.ports[0].targetPort", expected: "8080", observed: "8081"},
		"no endpoint": {old: "{kubernetes.io/service-name: shop}", new: "{kubernetes.io/service-name: gone}",
			code: diagnosis.EndpointsNone, object: "service/shop"},
		"another node port": {old: "nodePort: 30000", new: "nodePort: 30001", code: diagnosis.NodePortMissing, expected: "30000",
			observed: "30001 (service ingresslab-system/entry)"},
		"no such secret": {old: "secretName: shop-tls", new: "secretName: shop-tsl", code: diagnosis.SecretMissing,
			field: "spec.tls[0].secretName", expected: "shop-tls"},
		"an opaque secret": {old: "type: kubernetes.io/tls\nstringData: {tls.crt", new: "type: Opaque\nstringData: {server.crt",
			code: diagnosis.SecretTypeWrong, object: "secret/shop-tls", expected: "kubernetes.io/tls"},
		"a file of another name": {old: "{auth: ", new: "{htpasswd: ", code: diagnosis.SecretKeyMissing, object: "secret/users",
			field: "data[auth]", observed: "htpasswd"},
		"a type in capital letters": {old: "auth-type: basic\n    nginx.ingress.kubernetes.io/auth-secret: users",
			new: "auth-type: Basic\n    nginx.ingress.kubernetes.io/auth-secret: user", code: diagnosis.SecretMissing, expected: "users",
			observed: "user"},
		"no certificate": {old: "tls.crt: CRT", new: "tls.crt: nonsense", code: diagnosis.CertificateInvalid,
			object: "secret/shop-tls"},
		"a host not in it": {old: "hosts: [shop.localhost]", new: "hosts: [shop.localhost, www.shop.localhost]",
			code: diagnosis.CertificateHostMismatch, expected: "a certificate for www.shop.localhost", observed: "shop.localhost"},
		"no spec.tls": {old: "  tls: [{hosts: [shop.localhost], secretName: shop-tls}]\n",
			code: diagnosis.CertificateHostMismatch, object: "ingress/shop", observed: "no spec.tls"},
		"a password without hash": {old: `"foo:$apr1$Zqp8R6pV$u0DkYqYV9cE8cnm0ZyGlh/"`, new: "foo bread", code: diagnosis.AuthFileInvalid,
			object: "secret/users"},
		"a password of nobody's": {old: `"foo:$apr1`, new: `"Foo:$apr1`, about: func(a *diagnosis.About) { a.Requests[0].User = "foo" },
			code: diagnosis.UserMissing, object: "secret/users", observed: "Foo"},
		"a rule too many": {about: only(diagnosis.Request{Host: "shop.localhost", Path: "/app", Unserved: true}),
			code: diagnosis.RuleUnwanted, object: "ingress/shop", field: paths + ".path", observed: "/app"},
		"a misspelled annotation": {old: "auth-type: basic", new: "afinity: cookie\n    nginx.ingress.kubernetes.io/auth-type: basic",
			code: diagnosis.AnnotationUnknown, expected: "nginx.ingress.kubernetes.io/affinity"},
		"another prefix": {old: "auth-type: basic", new: "auth-type: basic\n    nginx.ingres.kubernetes.io/affinity: cookie",
			code: diagnosis.AnnotationUnknown, expected: "nginx.ingress.kubernetes.io/affinity"},
		"a value that cannot be read": {old: `canary-weight: "5"`, new: `canary-weight: "five"`, code: diagnosis.AnnotationInvalid,
			object: "ingress/beta", observed: "five"},
		"a canary of another path": {old: "/app, pathType: Prefix, backend: {service: {name: beta",
			new: "/b, pathType: Prefix, backend: {service: {name: beta", code: diagnosis.CanaryWithoutMain, object: "ingress/beta"},
		"a canary of another host": {old: "host: shop.localhost # the", new: "host: beta.localhost # the", code: diagnosis.CanaryHostDiffers,
			expected: "shop.localhost", observed: "beta.localhost"},
		"a setting that is not": {old: `{hsts: "true"}`, new: `{enable-sticky-sesions: "true"}`, code: diagnosis.ConfigMapInvalid,
			object: "configmap/ingresslab-controller", field: "data[enable-sticky-sesions]"},
	}
}

func TestMistakesAreFoundFirst(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	seen := []string{diagnosis.ControllerSays}
	for name, m := range mistakes() {
		seen = append(seen, m.code)
		t.Run(name, func(t *testing.T) {
			manifests := strings.Replace(right, m.old, m.new, 1)
			if m.old != "" && manifests == right {
				t.Fatalf("there is no %q to be wrong", m.old)
			}
			about := asked()
			if m.about != nil {
				m.about(&about)
			}
			objects := load(t, manifests, crt, key)
			if m.code == diagnosis.ScaledToZero {
				objects = slices.DeleteFunc(objects, func(o runtime.Object) bool { _, is := o.(*corev1.Pod); return is })
			}
			found := diagnosis.Diagnose(take(t, objects), about)
			if len(found) == 0 {
				t.Fatal("nothing is found")
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
				t.Errorf("found %s first, want %s; all: %+v", f.Code, m.code, found)
			}
			if tiers := f.Levels(); len(tiers) != 3 || slices.Contains(tiers, "") {
				t.Errorf("tiers %q", tiers)
			}
		})
	}
	for _, code := range diagnosis.Codes() {
		if !slices.Contains(seen, code) {
			t.Errorf("no mistake shows %s", code)
		}
	}
}

func TestExpiredCertificate(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(-48*time.Hour), "shop.localhost")
	found := diagnosis.Diagnose(take(t, load(t, right, crt, key)), asked())
	if len(found) != 1 || found[0].Code != diagnosis.CertificateInvalid || !strings.Contains(found[0].Text, "expired on") {
		t.Errorf("found %+v", found)
	}
}

// An older Ingress of the same namespace keeps the host and path; the younger one is told.
func TestTwoIngressesOfOneRule(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	objects := load(t, strings.Replace(right, `{nginx.ingress.kubernetes.io/canary: "true", nginx.ingress.kubernetes.io/canary-weight: "5"}`,
		"{}", 1), crt, key)
	found := diagnosis.Diagnose(take(t, objects), asked())
	if len(found) != 1 || found[0].Code != diagnosis.RuleTaken || found[0].Object != "ingress/beta" ||
		found[0].Observed != "ingress lab-1/shop" {
		t.Errorf("found %+v", found)
	}
}

// A host that only an Ingress of another namespace has is missing here, rather than taken.
func TestAnIngressInTheWrongNamespace(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	s := take(t, load(t, right, crt, key))
	s.Namespace = "lab-7"
	found := diagnosis.Diagnose(s, diagnosis.About{Requests: []diagnosis.Request{{Host: "shop.localhost", Path: "/app"}}})
	if len(found) != 1 || found[0].Code != diagnosis.IngressMissing || found[0].Observed != "lab-1" || found[0].Expected != "lab-7" {
		t.Errorf("found %+v", found)
	}
}

// Ingresses for hosts that others ask for are their business.
func TestOthersHostsAreLeftAlone(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	s := take(t, load(t, strings.Replace(right, "name: users, namespace", "name: nobody, namespace", 1), crt, key))
	about := diagnosis.About{OtherHosts: []string{"shop.localhost"}, Requests: []diagnosis.Request{{Host: "blog.localhost", Service: "blog"}}}
	found := diagnosis.Diagnose(s, about)
	if len(found) != 1 || found[0].Code != diagnosis.IngressMissing {
		t.Errorf("found %+v", found)
	}
}

// TestNothingAtAll diagnoses an empty namespace, in which nothing can be followed.
func TestNothingAtAll(t *testing.T) {
	s := diagnosis.Snapshot{Namespace: "lab-1", Deployments: []appsv1.Deployment{}, EndpointSlices: []discoveryv1.EndpointSlice{}}
	found := diagnosis.Diagnose(s, asked())
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
