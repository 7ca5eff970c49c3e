package controller_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestNewHostsAreRouted(t *testing.T) {
	l := newLab(t, ours(), service("cheddar"), service("stilton"), endpoints("cheddar", "10.0.0.1:80"), endpoints("stilton", "10.0.0.2:8080"))
	l.says("10.0.0.1:80", "cheddar")
	l.says("10.0.0.2:8080", "stilton")
	c := l.start()
	l.Expect(c.get("cheddar.test", "/")).To(gomega.HavePrefix("404 "))
	l.createIngress(ingress("cheddar", "lab", "cheddar.test"))
	l.createIngress(ingress("stilton", "lab", "stilton.test"))
	l.Eventually(c.getter("cheddar.test", "/")).Should(gomega.Equal("200 cheddar"))
	l.Eventually(c.getter("stilton.test", "/")).Should(gomega.Equal("200 stilton"))
	l.Expect(c.get("brie.test", "/")).To(gomega.HavePrefix("404 "))

	l.deleteIngress("cheddar")
	l.Eventually(c.getter("cheddar.test", "/")).Should(gomega.HavePrefix("404 "))
	l.Expect(c.get("stilton.test", "/")).To(gomega.Equal("200 stilton"))
}

func TestRuleChangeApplies(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "old.test"), service("web"), endpoints("web", "10.0.0.1:80"))
	l.says("10.0.0.1:80", "web")
	c := l.start()
	l.Expect(c.get("old.test", "/")).To(gomega.Equal("200 web"), "initial routes must work from the first request")
	l.updateIngress("web", func(i *networkingv1.Ingress) { i.Spec.Rules[0].Host = "new.test" })
	l.Eventually(c.getter("new.test", "/")).Should(gomega.Equal("200 web"))
	l.Expect(c.get("old.test", "/")).To(gomega.HavePrefix("404 "))
}

func TestLogListsChangedRoutes(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), service("web"), service("news"), endpoints("web", "10.0.0.1:80"),
		endpoints("news", "10.0.0.2:80"))
	l.says("10.0.0.1:80", "web")
	l.says("10.0.0.2:80", "news")
	c := l.start()
	l.Expect(c.log.String()).NotTo(gomega.ContainSubstring("route "), "initial routes are no change")
	l.updateIngress("web", func(i *networkingv1.Ingress) {
		i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "news"
	})
	l.Eventually(c.log.String).Should(gomega.MatchRegexp(
		`msg="route changed" host=shop.test path=/ ingress=\S+/web before=\S+/web:\S+ service=\S+/news:`))
	l.setEndpoints("news", "10.0.0.1:80")
	l.deleteIngress("web")
	l.Eventually(c.log.String).Should(gomega.MatchRegexp(`msg="route removed" host=shop.test path=/ ingress=\S+/web service=\S+/news:`))
	l.createIngress(ingress("web", "lab", "shop.test"))
	l.Eventually(c.log.String).Should(gomega.MatchRegexp(`msg="route added" host=shop.test path=/ ingress=\S+/web service=\S+/web:`))
	l.Expect(strings.Count(c.log.String(), "route changed")).To(gomega.Equal(1), "pods do not change a route")
}

func TestEndpointsFollowSlice(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), service("web"), endpoints("web", "10.0.0.1:80"))
	l.says("10.0.0.1:80", "one")
	l.says("10.0.0.2:80", "two")
	c := l.start()
	l.Expect(c.get("shop.test", "/")).To(gomega.Equal("200 one"))
	l.setEndpoints("web", "10.0.0.2:80")
	l.Eventually(c.getter("shop.test", "/")).Should(gomega.Equal("200 two"))
	l.Consistently(c.getter("shop.test", "/")).Should(gomega.Equal("200 two"))
	l.setEndpoints("web")
	l.Eventually(c.getter("shop.test", "/")).Should(gomega.HavePrefix("503 "))
	l.setEndpoints("web", "10.0.0.1:80", "10.0.0.2:80")
	l.Eventually(c.getter("shop.test", "/")).Should(gomega.Equal("200 one"))
	l.Eventually(c.getter("shop.test", "/")).Should(gomega.Equal("200 two"))
}

func TestClassOfOtherControllerIsIgnored(t *testing.T) {
	l := newLab(t, ours(), class("other", "example.com/other"), service("web"), endpoints("web", "10.0.0.1:80"))
	l.says("10.0.0.1:80", "web")
	c := l.start()
	l.createIngress(ingress("web", "other", "shop.test"))
	marker := ingress("marker", "lab", "marker.test")
	l.createIngress(marker) // once this Ingress is served, the controller has read the other one
	l.Eventually(c.getter("marker.test", "/")).Should(gomega.HavePrefix("503 "))
	l.Eventually(l.addressesOf("marker")).Should(gomega.Equal("192.0.2.1"))
	l.Expect(c.get("shop.test", "/")).To(gomega.HavePrefix("404 "))
	l.Expect(l.addresses("web")).To(gomega.BeEmpty())
}

func TestInvalidIngressAffectsOnlyItself(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), service("web"), endpoints("web", "10.0.0.1:80"))
	l.says("10.0.0.1:80", "web")
	c := l.start()
	l.createIngress(ingress("broken", "lab", "broken.test")) // its Service does not exist
	l.Eventually(c.getter("broken.test", "/")).Should(gomega.HavePrefix("503 "))
	l.Expect(c.get("shop.test", "/")).To(gomega.Equal("200 web"))
	_, problems := c.fetch(c.Status, "", "/api/v1/problems")
	l.Expect(problems).To(gomega.ContainSubstring(`"name": "broken"`))
}

func TestDefaultBackendByFlag(t *testing.T) {
	l := newLab(t, ours(), service("fallback"), endpoints("fallback", "10.0.0.9:80"))
	l.says("10.0.0.9:80", "nothing here")
	l.config.DefaultBackend.Service = types.NamespacedName{Namespace: "shop", Name: "fallback"}
	c := l.start()
	l.Expect(c.get("any.test", "/")).To(gomega.Equal("200 nothing here"))
}

func TestEveryRequestIsLoggedAndCounted(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), service("web"), endpoints("web", "10.0.0.1:80"))
	l.says("10.0.0.1:80", "web")
	c := l.start()
	c.get("shop.test", "/a?secret=1")
	c.get("no.test", "/b")
	l.Eventually(func() int { return strings.Count(c.accessLog.String(), "\n") }).Should(gomega.Equal(2))
	var lines []map[string]any
	for line := range strings.Lines(c.accessLog.String()) {
		var entry map[string]any
		l.Expect(json.Unmarshal([]byte(line), &entry)).To(gomega.Succeed())
		lines = append(lines, entry)
	}
	l.Expect(lines[0]).To(gomega.SatisfyAll(
		gomega.HaveKeyWithValue("host", "shop.test"), gomega.HaveKeyWithValue("path", "/a"), gomega.HaveKeyWithValue("status", 200.0),
		gomega.HaveKeyWithValue("ingress", "shop/web"), gomega.HaveKeyWithValue("service", "shop/web:80"),
		gomega.HaveKeyWithValue("endpoint", "10.0.0.1:80"), gomega.HaveKeyWithValue("bytes", 3.0), gomega.HaveKeyWithValue("tries", 1.0)))
	l.Expect(lines[1]).To(gomega.SatisfyAll(gomega.HaveKeyWithValue("status", 404.0), gomega.HaveKey("reason")))

	_, text := c.fetch(c.Metrics, "", "/metrics")
	l.Expect(text).To(gomega.SatisfyAll(
		gomega.ContainSubstring(`ingresslab_requests_total{ingress="shop/web",service="shop/web:80",status="200"} 1`),
		gomega.ContainSubstring(`ingresslab_requests_total{ingress="",service="",status="404"} 1`),
		gomega.ContainSubstring(`ingresslab_endpoint_info{endpoint="10.0.0.1:80",pod="shop/web-10.0.0.1",service="shop/web:80"} 1`),
		gomega.ContainSubstring(`ingresslab_endpoint_requests_total{endpoint="10.0.0.1:80",service="shop/web:80"} 1`)))

	l.deleteIngress("web")
	l.Eventually(func() string { _, text := c.fetch(c.Metrics, "", "/metrics"); return text }).ShouldNot(gomega.ContainSubstring("shop/web"))
}
