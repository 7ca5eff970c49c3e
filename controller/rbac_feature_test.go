package controller_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	k8stesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"
)

// grant is one verb on one resource; the namespace is empty for a ClusterRole.
type grant struct{ verb, group, resource, namespace string }

// granted returns the permissions of the installed roles.
func granted(t *testing.T) map[grant]bool {
	t.Helper()
	all := map[grant]bool{}
	for _, file := range []string{"../manifests/base/clusterrole.yaml", "../manifests/base/role.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			var role rbacv1.Role // a ClusterRole has the same form
			if err := yaml.Unmarshal(document, &role); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, rule := range role.Rules {
				for _, verb := range rule.Verbs {
					all[grant{verb, rule.APIGroups[0], rule.Resources[0], role.Namespace}] = true
				}
			}
		}
	}
	return all
}

// TestRolesMatchRequests runs every request of a controller on a fake API server without access
// control, and compares them with the installed roles.
func TestRolesMatchRequests(t *testing.T) {
	web := ingress("web", "lab", "shop.test")
	web.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{"shop.test"}, SecretName: "cert"}}
	l := newLab(t, ours(), web, tlsSecret(t, "cert", "shop.test"), controllerPod("c-1", "node-1", true),
		node("node-1", corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: "172.30.0.1"}))
	l.inPod("c-1")
	l.config.ConfigMap = types.NamespacedName{Namespace: "ingresslab-system", Name: "ingresslab-controller"}
	l.config.PublishStatusAddress = nil
	var writes atomic.Int32
	l.client.PrependReactor("update", "ingresses", func(k8stesting.Action) (bool, runtime.Object, error) {
		if writes.Add(1) == 1 { // the retry reads the Ingress from the API server
			return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "ingresses"}, "web", errors.New("conflict"))
		}
		return false, nil, nil
	})
	first := l.start()
	l.Eventually(l.addressesOf("web")).Should(gomega.Equal("172.30.0.1"))
	l.Eventually(l.events).Should(gomega.HaveLen(1))
	first.stop()
	l.Expect(first.wait()).To(gomega.Succeed())
	done := len(l.client.Actions()) // later actions include the reads of this test
	l.start()                       // finds the Event of the first controller
	l.Eventually(func() bool {
		return slices.ContainsFunc(l.client.Actions()[done:], func(a k8stesting.Action) bool { return a.Matches("patch", "events") })
	}).Should(gomega.BeTrue())

	allowed, used := granted(t), map[grant]bool{}
	for _, action := range l.client.Actions() {
		resource := action.GetResource().Resource
		if sub := action.GetSubresource(); sub != "" {
			resource += "/" + sub
		}
		g := grant{action.GetVerb(), action.GetResource().Group, resource, ""}
		if inOwn := (grant{g.verb, g.group, g.resource, "ingresslab-system"}); action.GetNamespace() == "ingresslab-system" && allowed[inOwn] {
			g = inOwn
		}
		if g.resource == "events" && g.verb == "list" {
			continue // only this test reads them
		}
		used[g] = true
		if !allowed[g] {
			t.Errorf("%s %s (%s) is used but not allowed", g.verb, g.resource, action.GetNamespace())
		}
	}
	for g := range allowed {
		if !used[g] {
			t.Errorf("%s %s %s is allowed but not used", g.verb, g.resource, g.namespace)
		}
	}
}
