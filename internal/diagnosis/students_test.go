package diagnosis_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
)

// answer is a wrong answer of a student, and the first finding that it causes.
type answer struct {
	// old is replaced by new in what is valid, and more is added to it.
	old, new, more string
	about          diagnosis.About
	code           string
	object, field  string
	// says is part of the text. An empty code means no finding.
	says string
}

// Additions to valid.yaml.
const (
	older = `
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: old, namespace: lab-1, creationTimestamp: "2025-01-01T00:00:00Z"}
spec:
  ingressClassName: ingresslab
  rules: [{host: shop.localhost, http: {paths: [{path: /app, pathType: Prefix, backend: {service: {name: beta, port: {number: 80}}}}]}}]
`
	foreign = `
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: blog, namespace: lab-1, creationTimestamp: "2026-01-02T00:00:00Z"}
spec:
  ingressClassName: ingresslab
  tls: [{hosts: [blog.localhost], secretName: shop-tls}]
  rules: [{host: blog.localhost, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}}]
`
	catchAll = `
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: all, namespace: lab-9}
spec: {ingressClassName: ingresslab, defaultBackend: {service: {name: shop, port: {number: 80}}}}
`
	port     = "{selector: {app: shop}, ports: [{port: 80, targetPort: 8080}]}"
	declared = ", ports: [{containerPort: 8080}]"
)

func one(r diagnosis.Request) diagnosis.About {
	return diagnosis.About{Requests: []diagnosis.Request{r}}
}

func call(c diagnosis.Call) diagnosis.About { return diagnosis.About{Calls: []diagnosis.Call{c}} }

// web expects one request that valid.yaml serves.
func web() diagnosis.About {
	return one(diagnosis.Request{Host: "shop.localhost", Path: "/app", Service: "shop"})
}

// another is the pod of what is valid, with something else about it.
func another(changes ...string) string {
	_, from, _ := strings.Cut(valid, "\n---\napiVersion: v1\nkind: Pod\n")
	pod, _, _ := strings.Cut(from, "---\n")
	return strings.NewReplacer(changes...).Replace("\n---\napiVersion: v1\nkind: Pod\n" + pod)
}

// ofRules returns wrong answers in Ingresses and the objects that they refer to.
func ofRules() map[string]answer {
	copied := one(diagnosis.Request{Host: "beta.localhost", Service: "shop"})
	copied.OtherHosts, copied.Others = []string{"shop.localhost"}, []diagnosis.Request{{Host: "shop.localhost", Service: "beta"}}
	others := copied
	others.Others = []diagnosis.Request{{Host: "shop.localhost", Service: "shop"}}
	return map[string]answer{
		"older Ingress of the same namespace": {more: older, about: web(), code: diagnosis.RuleTaken, object: "ingress/shop",
			says: "ingress lab-1/old has, too"},
		"canary instead of a rule": {
			old: "auth-type: basic", new: "canary: \"true\"\n    nginx.ingress.kubernetes.io/auth-type: basic", about: web(),
			code: diagnosis.CanaryWithoutMain, object: "ingress/shop", field: "metadata.annotations[nginx.ingress.kubernetes.io/canary]",
		},
		"copy with the host of the original": {about: copied, code: diagnosis.HostUnmatched, object: "ingress/shop",
			says: "the request is for beta.localhost"},
		"host of another task": {about: others, code: diagnosis.IngressMissing},
		"unwanted default backend": {
			old: "  rules:\n", new: "  defaultBackend: {service: {name: shop, port: {number: 80}}}\n  rules:\n",
			about: one(diagnosis.Request{Host: "shop.localhost", Unserved: true}), code: diagnosis.RuleUnwanted, object: "ingress/shop",
			field: "spec.defaultBackend",
		},
		"default backend for other hosts": {
			old: "  rules:\n", new: "  defaultBackend: {service: {name: shop, port: {number: 80}}}\n  rules:\n",
			about: one(diagnosis.Request{Host: "unknown.localhost", Service: "shop", ByDefault: true}), code: diagnosis.DefaultBackendMissing,
			says: "that of ingress shop serves only the hosts of its rules",
		},
		"catch-all of another namespace": {
			more: catchAll, about: one(diagnosis.Request{Host: "unknown.localhost", Unserved: true}),
			code: diagnosis.RuleUnwanted, object: "ingress/lab-9/all", field: "spec.defaultBackend",
		},
		"no rule, as expected": {about: one(diagnosis.Request{Host: "unknown.localhost", Unserved: true})},
		"rule without a host": {
			old: "  - host: shop.localhost\n    http:", new: "  - http:", about: one(diagnosis.Request{Host: "blog.localhost", Path: "/app",
				Service: "beta"}),
			code: diagnosis.HostUnmatched, object: "ingress/shop", field: "spec.rules[0].host", says: "without a host, which matches every host",
		},
		"rule with a wildcard": {
			old: "host: shop.localhost\n", new: "host: '*.localhost'\n", about: one(diagnosis.Request{Host: "blog.localhost", Path: "/app",
				Service: "beta"}),
			code: diagnosis.HostUnmatched, object: "ingress/shop", says: "for host *.localhost, which matches blog.localhost, too",
		},
		"Ingress in another namespace": {
			old: "name: shop\n  namespace: lab-1\n  creation", new: "name: shop\n  namespace: default\n  creation",
			about: diagnosis.About{Requests: web().Requests, Objects: []string{"ingress/shop"}}, code: diagnosis.IngressMissing,
			field: "metadata.namespace", says: "is in namespace default",
		},
		"Ingress with another name": {about: diagnosis.About{Objects: []string{"ingress/entry"}}, code: diagnosis.IngressMissing,
			object: "ingress/entry", says: "there is beta and shop"},
		"certificate of another Ingress": {more: foreign, about: web()},
		"spec.tls without a Secret": {
			old: "tls: [{hosts: [shop.localhost], secretName: shop-tls}]", new: "tls: [{hosts: [shop.localhost]}]",
			about: one(diagnosis.Request{Host: "shop.localhost", Path: "/app", TLS: true}), code: diagnosis.SecretMissing, object: "ingress/shop",
			field: "spec.tls[0].secretName",
		},
		"empty list of users": {old: `{auth: "foo:$apr1$Zqp8R6pV$u0DkYqYV9cE8cnm0ZyGlh/"}`, new: `{auth: ""}`, about: web(),
			code: diagnosis.SecretKeyMissing, says: "is empty"},
		"auth-type without auth-secret": {
			old: "    nginx.ingress.kubernetes.io/auth-secret: users\n", about: web(), code: diagnosis.AnnotationInvalid,
			field: "metadata.annotations[nginx.ingress.kubernetes.io/auth-secret]", says: "requires nginx.ingress.kubernetes.io/auth-secret",
		},
	}
}

// ofPods returns wrong answers in Services and pods.
func ofPods() map[string]answer {
	return map[string]answer{
		"named target port without a declared port": {
			old: declared, about: diagnosis.About{Objects: []string{"service/shop"}}, code: diagnosis.TargetPortClosed,
			object: "service/shop", field: "spec.ports[0].targetPort", says: `the port named "http" of its pods`,
		},
		"closed port without a declared port": {
			old: declared, about: call(diagnosis.Call{Service: "shop", Port: 80, Failed: true}), code: diagnosis.TargetPortClosed,
			object: "service/shop", says: "no program listens there",
		},
		"ExternalName": {
			old: port, new: "{type: ExternalName, externalName: example.com}", about: web(), code: diagnosis.EndpointsNone, object: "service/shop",
			says: "example.com",
		},
		"port that half of the pods have": {
			more: another("shop-5d4-x2", "shop-5d4-x3", "8080", "9090"), about: web(),
			code: diagnosis.TargetPortClosed, object: "service/shop", says: "1 of the 2 do not listen there",
		},
		"missing image of a new pod next to old ones": {
			more:  another("shop-5d4-x2", "shop-5d5-x3", `status: "True"`, `status: "False"`, "running: {}", "waiting: {reason: ImagePullBackOff}"),
			about: diagnosis.About{Objects: []string{"deployment/shop"}}, code: diagnosis.ImageMissing, object: "deployment/shop",
			says: "shop-5d5-x3 cannot start",
		},
		"unready new pod next to old ones": {
			more:  another("shop-5d4-x2", "shop-5d5-x3", `status: "True"`, `status: "False", message: probe failed`),
			about: diagnosis.About{Objects: []string{"deployment/shop"}}, code: diagnosis.PodsNotReady, object: "deployment/shop",
			says: "has 1 pod not ready, next to ready ones: shop-5d5-x3: probe failed",
		},
		"misspelled label of a pod without a Deployment": {
			more: "\n---\napiVersion: v1\nkind: Service\nmetadata: {name: direct, namespace: lab-1}\nspec: {selector: {app: direct}, ports: " +
				"[{port: 80}]}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: direct-1, namespace: lab-1, labels: {app: direkt}}\n",
			about: diagnosis.About{Objects: []string{"service/direct"}}, code: diagnosis.SelectorMatchesNothing, object: "service/direct",
			says: "one of the two is misspelled",
		},
		"wrong Service port in a call": {old: port, new: strings.Replace(port, "port: 80,", "port: 8080,", 1),
			about: call(diagnosis.Call{Service: "shop", Port: 80}), code: diagnosis.ServicePortMissing, object: "service/shop",
			field: "spec.ports[0].port", says: "8080"},
		"wrong Service name in a call": {about: call(diagnosis.Call{Service: "shopp", Port: 80}), code: diagnosis.ServiceMissing,
			says: `there is "shop"`},
		"call with a response": {about: call(diagnosis.Call{Service: "shop", Port: 80})},
	}
}

func TestDiagnoseWrongAnswers(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	all := ofRules()
	maps.Copy(all, ofPods())
	for name, a := range all {
		t.Run(name, func(t *testing.T) {
			if a.old != "" && !strings.Contains(valid, a.old) {
				t.Fatalf("valid.yaml does not contain %q", a.old)
			}
			manifests := strings.Replace(valid, a.old, a.new, 1)
			if a.field == "spec.ports[0].targetPort" {
				manifests = strings.Replace(manifests, "targetPort: 8080", "targetPort: http", 1)
			}
			found := diagnosis.Diagnose(take(t, load(t, manifests+a.more, crt, key)), a.about)
			if a.code == "" {
				if len(found) != 0 {
					t.Errorf("found %+v", found)
				}
				return
			}
			if len(found) == 0 {
				t.Fatal("no finding")
			}
			f := found[0]
			if f.Code != a.code || a.object != "" && f.Object != a.object || a.field != "" && f.Field != a.field || !strings.Contains(f.Text,
				a.says) {
				t.Errorf("found %+v", found)
			}
		})
	}
}

// A hint can quote any text, so each is a sentence with one final mark.
func TestTextsAreSentences(t *testing.T) {
	crt, key := certificate(t, time.Now().Add(time.Hour), "shop.localhost")
	for name, m := range mistakes {
		about := expected()
		if m.about != nil {
			m.about(&about)
		}
		for _, f := range diagnosis.Diagnose(take(t, load(t, strings.Replace(valid, m.old, m.new, 1), crt, key)), about) {
			for _, text := range append(f.Levels(), f.Text) {
				ends := strings.HasSuffix(text, ".") || strings.HasSuffix(text, "?")
				if !ends || slices.ContainsFunc([]string{"?.", "..", "?\"."}, func(s string) bool { return strings.Contains(text, s) }) ||
					text[:1] != strings.ToUpper(text[:1]) {
					t.Errorf("%s: %q is not a sentence", name, text)
				}
			}
		}
	}
}
