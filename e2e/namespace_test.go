//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// namespace is the namespace of one spec. Its name is part of its host names.
type namespace struct{ name string }

// newNamespace creates a namespace that the spec deletes.
func newNamespace(ctx context.Context) namespace {
	GinkgoHelper()
	made, err := lab.api.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) {
		Expect(lab.kube.DeleteNamespace(ctx, made.Name, false)).To(Succeed())
	})
	return namespace{made.Name}
}

// host returns a host name of the namespace: shop is shop.<namespace>.test.
func (n namespace) host(label string) string { return label + "." + n.name + ".test" }

// apply applies a file of testdata with the namespace's hosts, and returns the objects.
func (n namespace) apply(ctx context.Context, file string) []*unstructured.Unstructured {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	Expect(err).NotTo(HaveOccurred())
	objects, err := kube.Decode(file, []byte(strings.ReplaceAll(string(text), ".test", "."+n.name+".test")))
	Expect(err).NotTo(HaveOccurred())
	for _, o := range objects {
		o.SetNamespace(n.name)
	}
	Expect(lab.kube.Apply(ctx, objects...)).To(Succeed())
	return objects
}

// applyReady applies a file and waits until its objects are ready.
func (n namespace) applyReady(ctx context.Context, file string) []*unstructured.Unstructured {
	GinkgoHelper()
	objects := n.apply(ctx, file)
	Expect(lab.kube.WaitReady(ctx, objects...)).To(Succeed())
	return objects
}

// pods returns the pods of an app that are not terminating.
func (n namespace) pods(ctx context.Context, app string) []corev1.Pod {
	GinkgoHelper()
	list, err := lab.api.CoreV1().Pods(n.name).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	Expect(err).NotTo(HaveOccurred())
	return living(list.Items)
}

func living(pods []corev1.Pod) (alive []corev1.Pod) {
	for _, p := range pods {
		if p.DeletionTimestamp == nil {
			alive = append(alive, p)
		}
	}
	return alive
}

// get sends a GET request for a host and a path to the ingress.
func get(ctx context.Context, host, path string) probe.Observation {
	return lab.env.HTTP.Do(ctx, probe.Request{URL: "http://" + host + path})
}

// answer sends requests until the ingress returns a status three times in a row.
func answer(ctx context.Context, host, path string, status int) {
	GinkgoHelper()
	Eventually(ctx, func() probe.Observation { return get(ctx, host, path) }).
		MustPassRepeatedly(3).Should(HaveField("Status", status))
}

// ingressAddress returns the first address in the status of an Ingress; empty if none.
func (n namespace) ingressAddress(ctx context.Context, name string) func() string {
	return func() string {
		ing, err := lab.api.NetworkingV1().Ingresses(n.name).Get(ctx, name, metav1.GetOptions{})
		if err != nil || len(ing.Status.LoadBalancer.Ingress) == 0 {
			return ""
		}
		return ing.Status.LoadBalancer.Ingress[0].IP
	}
}
