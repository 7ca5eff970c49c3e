//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"net"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var _ = Describe("the cluster", func() {
	It("has Ready nodes with the version of the API server", func(ctx SpecContext) {
		server, err := lab.api.Discovery().ServerVersion()
		Expect(err).NotTo(HaveOccurred())
		nodes, err := lab.api.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(nodes.Items).To(HaveLen(3))
		for _, node := range nodes.Items {
			Expect(node.Status.NodeInfo.KubeletVersion).To(Equal(server.GitVersion), node.Name)
			Expect(node.Status.Conditions).To(ContainElement(And(
				HaveField("Type", corev1.NodeReady), HaveField("Status", corev1.ConditionTrue))), node.Name)
		}
	})

	It("runs every system pod", func(ctx SpecContext) {
		if provider == "embedded" {
			Skip("the control plane and the cluster's DNS are processes beside an embedded cluster, not pods in it")
		}
		Eventually(ctx, func() []string { return notReady(ctx, metav1.NamespaceSystem) }).Should(BeEmpty())
	})

	It("runs the controller on every node", func(ctx SpecContext) {
		Eventually(ctx, func() []string { return notReady(ctx, controllerNamespace) }).Should(BeEmpty())
		pods, err := lab.api.CoreV1().Pods(controllerNamespace).List(ctx, metav1.ListOptions{LabelSelector: controllerPods})
		Expect(err).NotTo(HaveOccurred())
		nodes := map[string]bool{}
		for _, pod := range living(pods.Items) {
			nodes[pod.Spec.NodeName] = true
		}
		Expect(nodes).To(HaveLen(3))
	})

	It("lists pod addresses in the pool, and not the Service's own address", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		ns.applyReady(ctx, "shop.yaml")
		answer(ctx, ns.host("shop"), "/", 200)
		service, err := lab.api.CoreV1().Services(ns.name).Get(ctx, "shop", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		var want []string
		for _, pod := range ns.pods(ctx, "shop") {
			want = append(want, net.JoinHostPort(pod.Status.PodIP, "8080"))
		}
		Expect(want).To(HaveLen(3))
		Eventually(ctx, func() []string { return poolOf(ctx, ns.name) }).Should(ConsistOf(want))
		Expect(poolOf(ctx, ns.name)).NotTo(ContainElement(HavePrefix(service.Spec.ClusterIP)))
	})

	It("follows endpoints to the last one, and returns 503 without one", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		ns.applyReady(ctx, "shop.yaml")
		answer(ctx, ns.host("shop"), "/", 200)
		scale, err := lab.api.AppsV1().Deployments(ns.name).GetScale(ctx, "shop", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		scale.Spec.Replicas = 0
		_, err = lab.api.AppsV1().Deployments(ns.name).UpdateScale(ctx, "shop", scale, metav1.UpdateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func() int { return readyEndpoints(ctx, ns.name, "shop") }).Should(BeZero())
		answer(ctx, ns.host("shop"), "/", 503)
	})
})

// notReady returns the unready pods of a namespace.
func notReady(ctx context.Context, namespace string) (waiting []string) {
	GinkgoHelper()
	pods, err := lab.api.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	Expect(pods.Items).NotTo(BeEmpty())
	for _, pod := range pods.Items {
		ready := false
		for _, c := range pod.Status.Conditions {
			ready = ready || c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}
		if !ready {
			waiting = append(waiting, pod.Name)
		}
	}
	return waiting
}

func readyEndpoints(ctx context.Context, namespace, service string) (ready int) {
	GinkgoHelper()
	ofService := metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service}
	list, err := lab.api.DiscoveryV1().EndpointSlices(namespace).List(ctx, ofService)
	Expect(err).NotTo(HaveOccurred())
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				ready++
			}
		}
	}
	return ready
}

// poolOf returns the endpoints on the status page for the shop of a namespace.
func poolOf(ctx context.Context, namespace string) (addresses []string) {
	GinkgoHelper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+lab.cluster.Addresses.Status+"/api/v1/endpoints", nil)
	Expect(err).NotTo(HaveOccurred())
	resp, err := http.DefaultClient.Do(req)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Pools []struct {
			Service   string
			Endpoints []struct{ Address string }
		}
	}
	Expect(json.NewDecoder(resp.Body).Decode(&answer)).To(Succeed())
	for _, pool := range answer.Pools {
		if pool.Service == namespace+"/shop:http" {
			for _, e := range pool.Endpoints {
				addresses = append(addresses, e.Address)
			}
		}
	}
	return addresses
}
