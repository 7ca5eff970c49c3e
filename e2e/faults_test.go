//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

var _ = Describe("the ingress", func() {
	It("loses no request while pods are deleted", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		ns.applyReady(ctx, "shop.yaml")
		answer(ctx, ns.host("shop"), "/", 200)
		load := start(ctx, ns.host("shop"), 8)
		for _, pod := range ns.pods(ctx, "shop") {
			Eventually(ctx, load.served).WithArguments(ns.name+"/"+pod.Name).Should(BeNumerically(">", 20), "the pod has traffic")
			Expect(lab.api.CoreV1().Pods(ns.name).Delete(ctx, pod.Name, metav1.DeleteOptions{})).To(Succeed())
			// The Deployment's status counts a deleted pod for a moment. The other two pods serve
			// meanwhile.
			Eventually(ctx, func() []string { return names(ready(ns.pods(ctx, "shop"))) }).
				Should(And(HaveLen(3), Not(ContainElement(pod.Name))))
		}
		for _, pod := range ns.pods(ctx, "shop") {
			Eventually(ctx, load.served).WithArguments(ns.name+"/"+pod.Name).Should(BeNumerically(">", 20), "the new pod has traffic")
		}
		load.expectNoFailure(200)
	}, SpecTimeout(3*time.Minute))

	It("loses no request while a Deployment is rolled out", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		objects := ns.applyReady(ctx, "shop.yaml")
		answer(ctx, ns.host("shop"), "/", 200)
		before := names(ns.pods(ctx, "shop"))
		load := start(ctx, ns.host("shop"), 8)
		for _, pod := range before {
			Eventually(ctx, load.served).WithArguments(ns.name+"/"+pod).Should(BeNumerically(">", 20), "the pod has traffic")
		}
		// As `kubectl rollout restart` does.
		patch := `{"spec":{"template":{"metadata":{"annotations":{"restarted":"yes"}}}}}`
		_, err := lab.api.AppsV1().Deployments(ns.name).Patch(ctx, "shop", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func() []string { return names(ns.pods(ctx, "shop")) }).
			Should(And(HaveLen(3), Not(ContainElements(before[0])), Not(ContainElements(before[1])), Not(ContainElements(before[2]))))
		Expect(lab.kube.WaitReady(ctx, objects...)).To(Succeed())
		// Where pods start within a second, the rollout ends before enough traffic.
		for _, pod := range ns.pods(ctx, "shop") {
			Eventually(ctx, load.served).WithArguments(ns.name+"/"+pod.Name).Should(BeNumerically(">", 20), "the new pod has traffic")
		}
		load.expectNoFailure(120)
	}, SpecTimeout(3*time.Minute))

	It("serves every rule again after its pod was restarted", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		ns.applyReady(ctx, "shop.yaml")
		answer(ctx, ns.host("shop"), "/", 200)
		entry := entryPod(ctx)
		Expect(lab.api.CoreV1().Pods(controllerNamespace).Delete(ctx, entry.Name, metav1.DeleteOptions{})).To(Succeed())
		Eventually(ctx, func() string { return entryPod(ctx).Name }).ShouldNot(Or(BeEmpty(), Equal(entry.Name)))
		answer(ctx, ns.host("shop"), "/", 200)
		answer(ctx, "unknown."+ns.host("shop"), "/", 404)
	}, SpecTimeout(2*time.Minute))

	It("passes the Lease to a second replica when its holder stops", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		ns.applyReady(ctx, "shop.yaml")
		Eventually(ctx, ns.ingressAddress(ctx, "shop")).ShouldNot(BeEmpty())
		first := leaseHolder(ctx)
		Expect(first).NotTo(BeEmpty())
		// Without a grace period, the holder cannot release the Lease, as if its node failed.
		now := int64(0)
		Expect(lab.api.CoreV1().Pods(controllerNamespace).Delete(ctx, first, metav1.DeleteOptions{GracePeriodSeconds: &now})).To(Succeed())
		Eventually(ctx, func() string { return leaseHolder(ctx) }).ShouldNot(Or(BeEmpty(), Equal(first)))

		ns.apply(ctx, "another.yaml")
		Eventually(ctx, ns.ingressAddress(ctx, "another")).ShouldNot(BeEmpty(), "the new holder writes status")
		answer(ctx, ns.host("another"), "/", 200)
	}, SpecTimeout(3*time.Minute))

	It("keeps serving other rules than an invalid one, and reports the error in an Event", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		ns.applyReady(ctx, "shop.yaml")
		ns.apply(ctx, "broken.yaml")
		answer(ctx, ns.host("good"), "/", 200)
		answer(ctx, ns.host("missing"), "/", 503)
		answer(ctx, ns.host("shop"), "/", 200)
		Eventually(ctx, func() []string { return warnings(ctx, ns.name, "broken") }).Should(ConsistOf(
			And(ContainSubstring("spec.rules[0].http.paths[0].backend.service.name"), ContainSubstring(`service "no-such-service" not found`))))
	}, SpecTimeout(time.Minute))
})

// ready returns the pods whose condition Ready is true.
func ready(pods []corev1.Pod) (list []corev1.Pod) {
	for _, p := range pods {
		if slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}) {
			list = append(list, p)
		}
	}
	return list
}

func names(pods []corev1.Pod) (names []string) {
	for _, p := range pods {
		names = append(names, p.Name)
	}
	return names
}

// entryPod is the controller pod on the node with the port mappings; zero if unknown.
func entryPod(ctx context.Context) corev1.Pod {
	GinkgoHelper()
	list, err := lab.api.CoreV1().Pods(controllerNamespace).List(ctx, metav1.ListOptions{
		LabelSelector: controllerPods,
		FieldSelector: "spec.nodeName=" + clusterName + "-control-plane",
	})
	Expect(err).NotTo(HaveOccurred())
	if alive := living(list.Items); len(alive) > 0 {
		return alive[0]
	}
	return corev1.Pod{}
}

// leaseHolder returns the pod that holds the Lease; empty if none.
func leaseHolder(ctx context.Context) string {
	GinkgoHelper()
	lease, err := lab.api.CoordinationV1().Leases(controllerNamespace).Get(ctx, leaseName, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// warnings returns the messages of the Warning Events on an Ingress.
func warnings(ctx context.Context, namespace, ingress string) (messages []string) {
	GinkgoHelper()
	list, err := lab.api.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fmt.Sprintf("involvedObject.kind=Ingress,involvedObject.name=%s,type=%s", ingress, corev1.EventTypeWarning),
	})
	Expect(err).NotTo(HaveOccurred())
	for _, e := range list.Items {
		messages = append(messages, e.Message)
	}
	return messages
}
