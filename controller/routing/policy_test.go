package routing_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/controller/routing"
)

const shopWeb = `---
kind: Service
metadata: {namespace: shop, name: web}
spec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}
---
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [10.0.0.1]}]
`

// ingressWith returns an Ingress for shop.test/NAME with annotations: "auth-type: basic,
// auth-secret: users".
func ingressWith(name, annotations string) string {
	var lines strings.Builder
	for _, line := range strings.Split(annotations, ", ") {
		key, value, _ := strings.Cut(line, ": ")
		fmt.Fprintf(&lines, "    nginx.ingress.kubernetes.io/%s: %q\n", key, value)
	}
	return fmt.Sprintf(`---
kind: Ingress
metadata:
  namespace: shop
  name: %s
  annotations:
%sspec:
  rules:
  - host: shop.test
    http: {paths: [{path: /%s, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
`, name, lines.String(), name)
}

// secretWith returns a Secret of namespace shop. data is YAML without its braces.
func secretWith(name, data string) string {
	return fmt.Sprintf("---\nkind: Secret\nmetadata: {namespace: shop, name: %s}\nstringData: {%s}\n", name, data)
}

func configMapWith(name, data string) string {
	return fmt.Sprintf("---\nkind: ConfigMap\nmetadata: {namespace: shop, name: %s}\ndata: {%s}\n", name, data)
}

func build(t testing.TB, objects string, change ...func(*routing.Snapshot, *routing.Options)) (*routing.Table, string) {
	t.Helper()
	return buildAfter(t, nil, objects, change...)
}

// buildAfter builds a table with the Memory of the one before.
func buildAfter(t testing.TB, before *routing.Table, objects string, change ...func(*routing.Snapshot, *routing.Options)) (*routing.Table,
	string) {
	t.Helper()
	s, o := parseObjects(t, "inline", objects+shopWeb), routing.Options{WatchIngressWithoutClass: true}
	for _, c := range change {
		c(&s, &o)
	}
	table, problems := routing.Build(s, o, before.Memory())
	checkReferences(t, s, o, table)
	return table, renderProblems(problems)
}

// routeOf returns the route of an Ingress of namespace shop.
func routeOf(t testing.TB, table *routing.Table, ingress string) *routing.Route {
	t.Helper()
	for _, r := range table.Routes() {
		if r.Ingress.Name == ingress {
			return r
		}
	}
	t.Fatalf("ingress %s has no route", ingress)
	return nil
}

// A security annotation that refers to an object blocks the route until the object exists and is
// valid.
func TestMissingSecurityObjectBlocksRoute(t *testing.T) {
	basic := "auth-type: basic, auth-secret: "
	for name, c := range map[string]struct {
		annotations, objects string
		problem              string // empty: the route is not blocked
	}{
		"users":                      {basic + "users", secretWith("users", `auth: "ali:{PLAIN}x"`), ""},
		"users with their namespace": {basic + "shop/users", secretWith("users", `auth: "ali:{PLAIN}x"`), ""},
		"users in a map":             {basic + "users, auth-secret-type: auth-map", secretWith("users", `ali: "{PLAIN}x"`), ""},
		"no users": {basic + "users", "",
			`ReferenceNotFound: Ingress shop/web: metadata.annotations[nginx.ingress.kubernetes.io/auth-secret]: secret "users" not found`},
		"empty list":                 {basic + "users", secretWith("users", `auth: ""`), "no user who can log in"},
		"list under another key":     {basic + "users", secretWith("users", `htpasswd: "ali:{PLAIN}x"`), "no key auth"},
		"only invalid users":         {basic + "users", secretWith("users", `auth: "ali:x"`), "no user who can log in"},
		"users of another namespace": {basic + "vault/users", "", "CrossNamespace"},
		"invalid name":               {basic + "a/b/c", "", "ReferenceInvalid"},
		"CA":                         {"auth-tls-secret: shop/ca", secretWith("ca", "ca.crt: certificate of ca"), ""},
		"no CA":                      {"auth-tls-secret: shop/ca", "", "ReferenceNotFound"},
		"CA without certificates":    {"auth-tls-secret: shop/ca", secretWith("ca", "ca.crt: nothing"), "no certificate in ca.crt"},
		"CA with half a certificate": {"auth-tls-secret: shop/ca", secretWith("ca",
			`ca.crt: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"`), "certificate 1 of ca.crt"},
		"CA with a revocation list": {"auth-tls-secret: shop/ca", secretWith("ca", "ca.crt: certificate of ca, ca.crl: list"), "revocation"},
		"CA of a backend": {"backend-protocol: HTTPS, proxy-ssl-verify: on, proxy-ssl-secret: shop/ca", secretWith("ca",
			"ca.crt: certificate of ca"), ""},
		"no CA of a backend": {"backend-protocol: HTTPS, proxy-ssl-verify: on, proxy-ssl-secret: shop/ca", "", "ReferenceNotFound"},
		"no ca.crt": {"backend-protocol: HTTPS, proxy-ssl-verify: on, proxy-ssl-secret: shop/ca", secretWith("ca",
			"tls.crt: certificate of a, tls.key: key of a"), "no CA verifies"},
		"key of another certificate": {"backend-protocol: HTTPS, proxy-ssl-secret: shop/ca", secretWith("ca",
			"tls.crt: certificate of a, tls.key: key of b"), "does not match"},
		"headers of the external request":    {"auth-url: http://auth.test/, auth-proxy-set-headers: h", configMapWith("h", "x-realm: lab"), ""},
		"no headers of the external request": {"auth-url: http://auth.test/, auth-proxy-set-headers: h", "", "ReferenceNotFound"},
		"line break in a header": {"auth-url: http://auth.test/, auth-proxy-set-headers: h", configMapWith("h",
			`x-realm: "lab\r\nX-User: admin"`), "line break"},
		"header of the connection": {"auth-url: http://auth.test/, auth-proxy-set-headers: h", configMapWith("h",
			`transfer-encoding: chunked`), "belongs to the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			table, problems := build(t, ingressWith("web", c.annotations)+c.objects)
			route := routeOf(t, table, "web")
			if c.problem == "" {
				if route.Blocked != "" || problems != "" {
					t.Errorf("blocked because %q; %s", route.Blocked, problems)
				}
				return
			}
			if route.Blocked == "" || !strings.Contains(problems, c.problem) {
				t.Errorf("blocked because %q, want %q in:\n%s", route.Blocked, c.problem, problems)
			}
			d := table.Decide(routing.Request{Method: "GET", Host: "shop.test", Path: "/web"})
			if d.Action != routing.Refuse || d.Status != http.StatusServiceUnavailable {
				t.Errorf("action %v, status %d", d.Action, d.Status)
			}
		})
	}
}

func TestInvalidUserDoesNotBlockOthers(t *testing.T) {
	table, problems := build(t, ingressWith("web", "auth-type: basic, auth-secret: users")+secretWith("users",
		`auth: "ali:{PLAIN}x\ncassim:y"`))
	users := routeOf(t, table, "web").Policy.Users
	if users == nil || !users.Match("ali", "x") || users.Match("cassim", "y") || !strings.Contains(problems,
		`UserInvalid: Ingress shop/web: `) {
		t.Errorf("%v; %s", users, problems)
	}
}

func TestLoadingSecretBlocksRouteWithoutProblem(t *testing.T) {
	objects := ingressWith("web", "auth-type: basic, auth-secret: users, auth-url: http://auth.test/, auth-proxy-set-headers: h")
	name := func(name string) []types.NamespacedName {
		return []types.NamespacedName{{Namespace: "shop", Name: name}}
	}
	table, problems := build(t, objects, func(s *routing.Snapshot, _ *routing.Options) {
		s.Loading = routing.References{Secrets: name("users"), ConfigMaps: name("h")}
	})
	if route := routeOf(t, table, "web"); route.Blocked != `annotation auth-secret: secret "users" is being loaded` || problems != "" {
		t.Errorf("blocked because %q; %s", route.Blocked, problems)
	}
	if got := table.References(); fmt.Sprint(got) != "{[shop/users] [shop/h]}" {
		t.Errorf("refers to %v", got)
	}
	// The ConfigMap of the controller can have an allowlist for all routes.
	table, _ = build(t, ingressWith("web", "ssl-redirect: false"), func(s *routing.Snapshot, o *routing.Options) {
		o.ConfigMap = name("settings")[0]
		s.Loading.ConfigMaps = name("settings")
	})
	if routeOf(t, table, "web").Blocked == "" {
		t.Error("the route is not blocked while the settings are loading")
	}
}

func TestBuildReadsSettings(t *testing.T) {
	named := func(_ *routing.Snapshot, o *routing.Options) {
		o.ConfigMap = types.NamespacedName{Namespace: "shop", Name: "settings"}
	}
	table, problems := build(t, ingressWith("web", "ssl-redirect: false")+configMapWith("settings",
		`proxy-body-size: 8m, proxy-boddy-size: 9m`), named)
	if got := routeOf(t, table, "web").Policy.Proxy.BodySize; got != 8<<20 || table.Settings().Options.Proxy.BodySize != got {
		t.Errorf("body size %d", got)
	}
	if !strings.Contains(problems, "ConfigMap shop/settings: data[proxy-boddy-size]: ") {
		t.Errorf("problems %s", problems)
	}
	if _, problems := build(t, ingressWith("web", "ssl-redirect: false"), named); problems != "" {
		t.Errorf("problems without the ConfigMap: %s", problems)
	}
	foreign := "---\nkind: Secret\nmetadata: {namespace: vault, name: users}\nstringData: {auth: \"ali:{PLAIN}x\"}\n"
	table, problems = build(t, ingressWith("web", "auth-type: basic, auth-secret: vault/users")+foreign+configMapWith("settings",
		`allow-cross-namespace-resources: "true"`), named)
	if route := routeOf(t, table, "web"); route.Blocked != "" || problems != "" {
		t.Errorf("blocked because %q; %s", route.Blocked, problems)
	}
}

func TestResponseHeaders(t *testing.T) {
	table, problems := build(t, ingressWith("web", "custom-headers: h")+
		configMapWith("h", `x-frame-options: "DENY\n", "bad name": x, content-length: "0", x-split: "a\nSet-Cookie: b"`))
	got := fmt.Sprint(routeOf(t, table, "web").Policy.ResponseHeaders)
	if got != "map[X-Frame-Options:[DENY]]" || strings.Count(problems, "HeaderInvalid: ") != 3 {
		t.Errorf("headers %s; %s", got, problems)
	}
}

func TestLastValidCertificateStays(t *testing.T) {
	ingress := `kind: Ingress
metadata: {namespace: shop, name: web}
spec:
  tls: [{hosts: [shop.test], secretName: cert}]
  rules: [{host: shop.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
`
	good, broken := secretWith("cert", "tls.crt: certificate of shop.test, tls.key: key of shop.test"), secretWith("cert",
		"tls.crt: x, tls.key: y")
	table, _ := build(t, ingress+good)
	first := table.Certificate("shop.test")
	if first == nil {
		t.Fatal("no certificate")
	}
	for _, step := range []struct {
		objects, problem string
		stale            bool
	}{
		{broken, "SecretInvalid", true}, {broken, "SecretInvalid", true}, {"", "ReferenceNotFound", true}, {broken, "SecretInvalid", true},
		{good, "", false},
	} {
		var problems string
		table, problems = buildAfter(t, table, ingress+step.objects)
		got := table.Certificate("shop.test")
		if got == nil || string(got.Certificate[0]) != string(first.Certificate[0]) || table.Certificates()[0].Stale != step.stale {
			t.Fatalf("after %q: certificate %v", step.problem, got)
		}
		if step.problem == "" != (problems == "") || !strings.Contains(problems, step.problem) {
			t.Errorf("problems %q, want %q", problems, step.problem)
		}
	}
}

func TestSecretIsParsedOncePerVersion(t *testing.T) {
	objects := `kind: Ingress
metadata: {namespace: shop, name: web}
spec: {tls: [{hosts: [shop.test], secretName: cert}], rules: [{host: shop.test}], defaultBackend: {service: {name: web,
	port: {number: 80}}}}
` + secretWith("cert", "tls.crt: certificate of shop.test, tls.key: key of shop.test")
	s := parseObjects(t, "inline", objects)
	s.Secrets[0].ResourceVersion = "1"
	first, _ := routing.Build(s, routing.Options{WatchIngressWithoutClass: true}, nil)
	again := func(version string) bool {
		s := s
		other := s.Secrets[0].DeepCopy()
		other.ResourceVersion = version
		s.Secrets = []*corev1.Secret{other}
		next, _ := routing.Build(s, routing.Options{WatchIngressWithoutClass: true}, first.Memory())
		return next.Certificate("shop.test") != first.Certificate("shop.test")
	}
	if again("1") {
		t.Error("Build parsed the same version again")
	}
	if !again("2") || !again("") {
		t.Error("Build did not parse another version")
	}
}

// A TLS handshake has a host and no path, so all routes of a host verify clients in the same way.
func TestClientVerificationAppliesToHost(t *testing.T) {
	ca := secretWith("ca", "ca.crt: certificate of ca") + secretWith("ca2", "ca.crt: certificate of ca2")
	table, problems := build(t, ingressWith("a", "auth-tls-secret: shop/ca")+ingressWith("b", "ssl-redirect: false")+ingressWith("c",
		"auth-tls-secret: shop/ca2")+ingressWith("d", "auth-tls-secret: shop/ca")+ca)
	host := table.ClientTLS("SHOP.test")
	if host == nil || host.ClientCA == nil || table.ClientTLS("other.test") != nil {
		t.Fatalf("policy of the host %v", host)
	}
	if b := routeOf(t, table, "b"); b.Policy.ClientCA != host.ClientCA || b.Blocked != "" {
		t.Error("the Ingress without auth-tls-secret does not verify clients")
	}
	if d := routeOf(t, table, "d"); d.Blocked != "" {
		t.Errorf("the Ingress with the same CA is blocked: %s", d.Blocked)
	}
	if c := routeOf(t, table, "c"); c.Blocked == "" || strings.Count(problems, "ClientTLSConflict: Ingress shop/c: ") != 1 ||
		strings.Count(problems, "\n") != 1 {
		t.Errorf("blocked because %q; %s", c.Blocked, problems)
	}
	// A missing CA blocks all routes of the host, not only those of its Ingress.
	table, _ = build(t, ingressWith("a", "auth-tls-secret: shop/ca")+ingressWith("b", "ssl-redirect: false"))
	if b := routeOf(t, table, "b"); b.Blocked == "" || table.ClientTLS("shop.test") != nil {
		t.Error("the other Ingress of the host is not blocked")
	}
}

func TestBackendTLS(t *testing.T) {
	pair := secretWith("pair", "ca.crt: certificate of ca, tls.crt: certificate of a, tls.key: key of a")
	https := "backend-protocol: HTTPS, proxy-ssl-secret: shop/pair, proxy-ssl-verify: on"
	table, _ := build(t, ingressWith("a", https)+ingressWith("b", https)+ingressWith("c",
		https+", proxy-ssl-name: api.test")+ingressWith("d", "backend-protocol: HTTP, proxy-ssl-verify: on")+pair)
	a, b, c := routeOf(t, table, "a"), routeOf(t, table, "b").Policy.BackendTLS, routeOf(t, table, "c").Policy.BackendTLS
	if a.Blocked != "" || a.Policy.BackendTLS.Roots == nil || a.Policy.BackendTLS.Certificate == nil || routeOf(t, table,
		"d").Policy.BackendTLS != nil {
		t.Fatalf("%s: %+v", a.Blocked, a.Policy.BackendTLS)
	}
	if a.Policy.BackendTLS.Key != b.Key || a.Policy.BackendTLS.Key == c.Key {
		t.Error("the same options must have the same Key, and other options another one")
	}
	if own, given := a.Policy.BackendTLS.Named(a.Pool.ServerName()).Name, c.Named(a.Pool.ServerName()).Name; own != "web.shop.svc" ||
		given != "api.test" {
		t.Errorf("verified as %s and %s", own, given)
	}
}

func TestServiceUpstream(t *testing.T) {
	table, problems := build(t, ingressWith("pods", "service-upstream: false")+ingressWith("virtual", "service-upstream: true"))
	pods, virtual := routeOf(t, table, "pods").Pool, routeOf(t, table, "virtual").Pool
	if !virtual.Virtual || virtual.Endpoints[0].Address.String() != "10.96.0.7:80" ||
		pods.Endpoints[0].Address.String() != "10.0.0.1:8080" || pods.Key() == virtual.Key() || problems != "" {
		t.Errorf("%+v and %+v; %s", virtual, pods, problems)
	}
	for address, want := range map[string]string{"None": "headless", "127.0.0.1": "loopback", "": "headless"} {
		table, problems = build(t, ingressWith("virtual", "service-upstream: true"), func(s *routing.Snapshot,
			_ *routing.Options) {
			s.Services[0].Spec.ClusterIP = address
		})
		if pool := routeOf(t, table, "virtual").Pool; pool.Virtual || len(pool.Endpoints) != 1 || !strings.Contains(problems, want) {
			t.Errorf("%q: %+v; %s", address, pool, problems)
		}
	}
	table, _ = build(t, ingressWith("virtual", "service-upstream: true"), func(s *routing.Snapshot,
		_ *routing.Options) {
		s.EndpointSlices = nil
	})
	if pool := routeOf(t, table, "virtual").Pool; !pool.Virtual || len(pool.Endpoints) != 0 || pool.Reason == "" {
		t.Errorf("a Service without pods: %+v", pool)
	}
}

func TestErrorPool(t *testing.T) {
	fallback := func(_ *routing.Snapshot, o *routing.Options) {
		o.DefaultBackend.Service = types.NamespacedName{Namespace: "shop", Name: "web"}
	}
	for annotations, want := range map[string]string{
		"default-backend: web":                           "shop/web:80",
		"custom-http-errors: 404":                        "shop/web:80",
		"custom-http-errors: 404, default-backend: gone": "none",
		"ssl-redirect: false":                            "none",
	} {
		table, problems := build(t, ingressWith("web", annotations), fallback)
		got := "none"
		if pool := routeOf(t, table, "web").Policy.ErrorPool; pool != nil {
			got = pool.Key()
		}
		if got != want || (problems != "") != strings.Contains(annotations, "gone") {
			t.Errorf("%s: %s, want %s; %s", annotations, got, want, problems)
		}
	}
}
