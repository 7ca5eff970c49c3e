package controller_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	k8stesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"
)

// A client that waits for an address and then sends a request must not get a 404.
func TestStatusIsWrittenAfterRoute(t *testing.T) {
	l := newLab(t, ours(), service("web"), endpoints("web", "10.0.0.1:80"))
	l.says("10.0.0.1:80", "web")
	c := l.start()
	early := make(chan string, 1)
	l.client.PrependReactor("update", "ingresses", func(k8stesting.Action) (bool, runtime.Object, error) {
		select {
		case early <- c.get("shop.test", "/"):
		default:
		}
		return false, nil, nil
	})
	l.createIngress(ingress("web", "lab", "shop.test"))
	l.Eventually(l.addressesOf("web")).Should(gomega.Equal("192.0.2.1"))
	l.Expect(<-early).To(gomega.Equal("200 web"), "response when the status was written")
}

func TestStatusIsWrittenOnlyForDifferences(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), service("web"))
	c := l.start()
	l.Eventually(l.addressesOf("web")).Should(gomega.Equal("192.0.2.1"))
	for _, ip := range []string{"10.0.0.1:80", "10.0.0.2:80"} {
		l.createIngress(ingress("more-"+strings.NewReplacer(".", "-", ":", "-").Replace(ip), "lab", ip[:8]+".test"))
	}
	l.Eventually(l.addressesOf("more-10-0-0-2-80")).Should(gomega.Equal("192.0.2.1"))
	writes := 0
	for _, action := range l.client.Actions() {
		if action.Matches("update", "ingresses") && action.GetSubresource() == "status" {
			writes++
		}
	}
	l.Expect(writes).To(gomega.Equal(3), "one write for each Ingress")
	_ = c
}

func TestStatusConflictIsRetried(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"))
	var conflicts atomic.Int32
	l.client.PrependReactor("update", "ingresses", func(k8stesting.Action) (bool, runtime.Object, error) {
		if conflicts.Add(1) == 1 {
			return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "ingresses"}, "web", errors.New("conflict"))
		}
		return false, nil, nil
	})
	l.start()
	l.Eventually(l.addressesOf("web")).Should(gomega.Equal("192.0.2.1"))
}

func TestIngressOfOtherClassLosesAddress(t *testing.T) {
	l := newLab(t, ours(), class("other", "example.com/other"), ingress("web", "lab", "shop.test"), ingress("kept", "lab", "kept.test"))
	l.start()
	l.Eventually(l.addressesOf("web")).Should(gomega.Equal("192.0.2.1"))
	l.Eventually(l.addressesOf("kept")).Should(gomega.Equal("192.0.2.1"))
	l.updateIngress("web", func(i *networkingv1.Ingress) { i.Spec.IngressClassName = ptr.To("other") })
	l.Eventually(l.addressesOf("web")).Should(gomega.BeEmpty())
	l.Expect(l.addresses("kept")).To(gomega.Equal("192.0.2.1"))
}

// heldBy is the Lease of the controllers, held for the next hour.
func heldBy(holder string) *coordinationv1.Lease {
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ingresslab-leader"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &holder, LeaseDurationSeconds: ptr.To[int32](3600),
			RenewTime: ptr.To(metav1.NowMicro()), AcquireTime: ptr.To(metav1.NowMicro()),
		},
	}
}

func TestOnlyLeaseHolderWrites(t *testing.T) {
	l := newLab(t, ours(), ingress("broken", "lab", "shop.test"), heldBy("another-replica"))
	c := l.start()
	l.Expect(c.get("shop.test", "/")).To(gomega.HavePrefix("503 "), "every replica serves")
	l.Consistently(l.addressesOf("broken")).Should(gomega.BeEmpty())
	l.Expect(l.events()).To(gomega.BeEmpty())
	// The holder releases the Lease.
	lease := heldBy("")
	lease.Spec.LeaseDurationSeconds = ptr.To[int32](1)
	_, err := l.client.CoordinationV1().Leases("default").Update(t.Context(), lease, metav1.UpdateOptions{})
	l.Expect(err).NotTo(gomega.HaveOccurred())
	l.Eventually(l.addressesOf("broken")).Should(gomega.Equal("192.0.2.1"))
	l.Eventually(l.events).ShouldNot(gomega.BeEmpty())
}

// events returns "reason object: message", without Events of the election.
func (l *lab) events() []string {
	list, err := l.client.CoreV1().Events("").List(l.t.Context(), metav1.ListOptions{})
	l.Expect(err).NotTo(gomega.HaveOccurred())
	var all []string
	for _, e := range list.Items {
		all = append(all, e.Type+" "+e.Reason+" "+e.InvolvedObject.Kind+"/"+e.InvolvedObject.Name+": "+e.Message)
	}
	return all
}

func TestProblemGetsOneEvent(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"))
	c := l.start()
	l.Eventually(l.events).Should(gomega.HaveLen(1))
	event := l.events()[0]
	l.Expect(event).To(gomega.SatisfyAll(
		gomega.HavePrefix("Warning ServiceNotFound Ingress/web: spec.rules[0].http.paths[0].backend.service"),
		gomega.ContainSubstring("web")))
	// Other changes build new tables with the same Problem.
	l.createIngress(ingress("other", "lab", "other.test"))
	l.Eventually(l.events).Should(gomega.HaveLen(2))
	l.Eventually(l.addressesOf("other")).Should(gomega.Equal("192.0.2.1"))
	l.Expect(l.events()).To(gomega.HaveLen(2))
	// The next holder of the Lease does, too.
	c.stop()
	l.Expect(c.wait()).To(gomega.Succeed())
	l.start()
	l.Eventually(l.addressesOf("web")).Should(gomega.Equal("192.0.2.1"))
	l.Expect(l.events()).To(gomega.HaveLen(2))
}

// inPod runs the controller in a pod of that name.
func (l *lab) inPod(name string) {
	l.config.PodName, l.config.PodNamespace = name, "ingresslab-system"
}

func TestStatusFollowsNodesOfReadyPods(t *testing.T) {
	internal := func(ip string) corev1.NodeAddress {
		return corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip}
	}
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"),
		controllerPod("c-1", "node-1", true), controllerPod("c-2", "node-2", true), controllerPod("c-3", "node-3", false),
		node("node-1", internal("172.30.0.1")), node("node-3", internal("172.30.0.3")),
		node("node-2", internal("172.30.0.2"), corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: "192.0.2.2"}))
	l.inPod("c-1")
	l.config.PublishStatusAddress = nil
	l.start()
	l.Eventually(l.addressesOf("web")).Should(gomega.Equal("172.30.0.1 192.0.2.2"))
	pods := l.client.CoreV1().Pods("ingresslab-system")
	_, err := pods.Update(t.Context(), controllerPod("c-3", "node-3", true), metav1.UpdateOptions{})
	l.Expect(err).NotTo(gomega.HaveOccurred())
	l.Eventually(l.addressesOf("web")).Should(gomega.Equal("172.30.0.1 172.30.0.3 192.0.2.2"))
	l.Expect(pods.Delete(t.Context(), "c-2", metav1.DeleteOptions{})).To(gomega.Succeed())
	l.Eventually(l.addressesOf("web")).Should(gomega.Equal("172.30.0.1 172.30.0.3"))
}

func TestStatusFollowsPublishedService(t *testing.T) {
	front := service("front")
	front.Spec.Type = corev1.ServiceTypeLoadBalancer
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), front)
	l.config.PublishStatusAddress = nil
	l.config.PublishService = types.NamespacedName{Namespace: "shop", Name: "front"}
	l.start()
	l.Consistently(l.addressesOf("web")).Should(gomega.BeEmpty(), "the load balancer has no address yet")
	front.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "lb.example.com"}, {IP: "192.0.2.7"}}
	_, err := l.client.CoreV1().Services("shop").UpdateStatus(t.Context(), front, metav1.UpdateOptions{})
	l.Expect(err).NotTo(gomega.HaveOccurred())
	l.Eventually(l.addressesOf("web")).Should(gomega.Equal("lb.example.com 192.0.2.7"))
}

func TestLastReplicaWithdrawsStatus(t *testing.T) {
	for _, test := range []struct {
		name   string
		others []runtime.Object
		want   string
	}{
		{"alone", nil, ""},
		{"another replica", []runtime.Object{controllerPod("c-2", "node-2", true)}, "192.0.2.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects := append([]runtime.Object{ours(), ingress("web", "lab", "shop.test"), controllerPod("c-1", "node-1", true)}, test.others...)
			l := newLab(t, objects...)
			l.inPod("c-1")
			c := l.start()
			l.Eventually(l.addressesOf("web")).Should(gomega.Equal("192.0.2.1"))
			c.stop()
			l.Expect(c.wait()).To(gomega.Succeed())
			l.Expect(l.addresses("web")).To(gomega.Equal(test.want))
			lease, err := l.client.CoordinationV1().Leases("ingresslab-system").Get(t.Context(), "ingresslab-leader", metav1.GetOptions{})
			l.Expect(err).NotTo(gomega.HaveOccurred())
			l.Expect(*lease.Spec.HolderIdentity).To(gomega.BeEmpty(), "the Lease must be released")
		})
	}
}

func TestSecondReplicaTakesOverLease(t *testing.T) {
	l := newLab(t, ours(), controllerPod("c-1", "node-1", true), controllerPod("c-2", "node-2", true))
	l.config.LeaseDuration = 15 * time.Second // longer than the test, so that the Lease must be released to change hands
	l.inPod("c-1")
	first := l.start()
	l.createIngress(ingress("web", "lab", "shop.test"))
	l.Eventually(l.addressesOf("web")).Should(gomega.Equal("192.0.2.1"))
	l.inPod("c-2")
	l.start()
	first.stop()
	l.Expect(first.wait()).To(gomega.Succeed())
	l.createIngress(ingress("later", "lab", "later.test"))
	l.Eventually(l.addressesOf("later")).Should(gomega.Equal("192.0.2.1"))
}
