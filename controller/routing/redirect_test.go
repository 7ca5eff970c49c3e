package routing_test

import (
	"net/http"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/controller/annotations"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// A redirect to a path becomes a URL, unless relative-redirects is set. A client cannot redirect to
// another host with its query.
func TestRedirectToPath(t *testing.T) {
	for _, c := range []struct{ to, relative, path, query, want string }{
		{"/new", "false", "/", "", "http://shop.test/new"},
		{"/new", "true", "/", "", "/new"},
		{"/in$request_uri", "true", "/a", "b=c", "/in/a?b=c"},
		{"https://other.test$request_uri", "true", "/a", "", "https://other.test/a"},
		{"/$arg_to", "true", "/", "to=/evil.test", "http://shop.test//evil.test"},
		{"/$arg_to", "false", "/", "to=/evil.test", "http://shop.test//evil.test"},
	} {
		prefix := networkingv1.PathTypePrefix
		ingress := &networkingv1.Ingress{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: map[string]string{
				annotations.Prefix + "permanent-redirect": c.to, annotations.Prefix + "relative-redirects": c.relative,
			}},
			Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: "shop.test",
				IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
					Path: "/", PathType: &prefix,
					Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "web",
						Port: networkingv1.ServiceBackendPort{Number: 80}}},
				}}}},
			}}},
		}
		table, _ := routing.Build(routing.Snapshot{Ingresses: []*networkingv1.Ingress{ingress}},
			routing.Options{WatchIngressWithoutClass: true}, nil)
		d := table.Decide(routing.Request{Method: http.MethodGet, Host: "shop.test", Path: c.path, Query: c.query, Header: http.Header{}})
		if d.Action != routing.Redirect || d.Status != http.StatusMovedPermanently || d.Location != c.want {
			t.Errorf("%+v: got %d %q (%s)", c, d.Status, d.Location, d.Reason)
		}
	}
}
