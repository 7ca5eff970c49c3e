package controller_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	k8stesting "k8s.io/client-go/testing"

	"github.com/ingresslab/ingresslab/controller"
)

func TestNotReadyBeforeFirstTable(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), service("web"), endpoints("web", "10.0.0.1:80"))
	l.says("10.0.0.1:80", "web")
	var allowed atomic.Bool
	l.client.PrependReactor("list", "endpointslices", func(k8stesting.Action) (bool, runtime.Object, error) {
		if allowed.Load() {
			return false, nil, nil
		}
		resource := schema.GroupResource{Group: "discovery.k8s.io", Resource: "endpointslices"}
		return true, nil, apierrors.NewForbidden(resource, "", errors.New("no role allows it"))
	})
	c := l.launch()
	// A forbidden watch is reported with its resource.
	l.Eventually(func() string { _, text := c.fetch(c.Metrics, "", "/metrics"); return text }).
		Should(gomega.ContainSubstring(`ingresslab_watch_errors_total{resource="endpointslices"}`))
	_, page := c.fetch(c.Status, "", "/")
	l.Expect(page).To(gomega.ContainSubstring("no role allows it"))
	status, why := c.fetch(c.Metrics, "", "/readyz")
	l.Expect(status).To(gomega.Equal(http.StatusServiceUnavailable), why)
	l.Expect(c.status(c.Metrics, "", "/healthz")).To(gomega.Equal(http.StatusOK), "a restart would not help")
	// An early connection waits instead of getting a 404.
	answer := make(chan string, 1)
	go func() { answer <- c.get("shop.test", "/") }()
	allowed.Store(true)
	l.Eventually(answer).Should(gomega.Receive(gomega.Equal("200 web")))
	l.Eventually(func() int { return c.status(c.Metrics, "", "/readyz") }).Should(gomega.Equal(http.StatusOK))
}

func TestStopLosesNoRequest(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), service("web"), endpoints("web", "10.0.0.1:80"))
	started, finish := make(chan struct{}), make(chan struct{})
	l.pod("10.0.0.1:80", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(started)
			<-finish
		}
		_, _ = io.WriteString(w, "done")
	})
	l.config.ShutdownGrace = 500 * time.Millisecond
	c := l.start()
	release := sync.OnceFunc(func() { close(finish) })
	t.Cleanup(release) // a failed test must not hang
	slow := make(chan string, 1)
	go func() { slow <- c.get("shop.test", "/slow") }()
	<-started
	c.stop()
	// During the grace time, it is not ready but still serves.
	l.Eventually(func() int { return c.status(c.Metrics, "", "/readyz") }).Should(gomega.Equal(http.StatusServiceUnavailable))
	response, err := http.DefaultClient.Do(l.plain(c.HTTP, "shop.test"))
	l.Expect(err).NotTo(gomega.HaveOccurred())
	_ = response.Body.Close()
	l.Expect(response.StatusCode).To(gomega.Equal(http.StatusOK))
	l.Expect(response.Close).To(gomega.BeTrue(), "the client must reconnect to another replica")
	// After the grace time, it accepts no more requests, but waits for the one in flight.
	l.Eventually(func() error {
		conn, err := net.Dial("tcp", c.HTTP)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}).Should(gomega.HaveOccurred())
	l.Expect(c.done).To(gomega.BeEmpty(), "Run must not return yet")
	release()
	l.Expect(<-slow).To(gomega.Equal("200 done"))
	l.Expect(c.wait()).To(gomega.Succeed())
}

// plain is a request with keep-alive.
func (l *lab) plain(address, host string) *http.Request {
	request, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, "http://"+address+"/", nil)
	l.Expect(err).NotTo(gomega.HaveOccurred())
	request.Host = host
	return request
}

func TestStopHasTimeLimit(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), service("web"), endpoints("web", "10.0.0.1:80"))
	started := make(chan struct{})
	l.pod("10.0.0.1:80", func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done() // never responds
	})
	l.config.ShutdownTimeout = 50 * time.Millisecond
	c := l.start()
	answer := make(chan string, 1)
	go func() { answer <- c.get("shop.test", "/") }()
	<-started
	c.stop()
	l.Expect(c.wait()).To(gomega.Succeed())
	l.Eventually(answer).Should(gomega.Receive())
	l.Eventually(c.accessLog.String).Should(gomega.ContainSubstring("shutting down"))
}

func TestPortInUseIsError(t *testing.T) {
	l := newLab(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	l.Expect(err).NotTo(gomega.HaveOccurred())
	defer func() { _ = taken.Close() }()
	_, port, _ := strings.Cut(taken.Addr().String(), ":")
	l.config.StatusPort, err = strconv.Atoi(port)
	l.Expect(err).NotTo(gomega.HaveOccurred())
	err = controller.Run(t.Context(), l.config, controller.Deps{Client: l.client})
	l.Expect(err).To(gomega.MatchError(gomega.HavePrefix("--status-port: listen tcp")))
}

func TestStatusPageShowsRulesAndPods(t *testing.T) {
	l := newLab(t, ours(), ingress("web", "lab", "shop.test"), service("web"), endpoints("web", "10.0.0.1:80"))
	l.says("10.0.0.1:80", "web")
	c := l.start()
	c.get("shop.test", "/")
	_, page := c.fetch(c.Status, "", "/?url=http%3A%2F%2Fshop.test%2F")
	for _, want := range []string{"<code>lab</code>", "shop.test", "shop/web:80", "10.0.0.1:80", "shop/web-10.0.0.1",
		"forward to shop/web:80"} {
		l.Expect(page).To(gomega.ContainSubstring(want))
	}
	_, stub := c.fetch(c.Status, "", "/nginx_status")
	l.Expect(stub).To(gomega.MatchRegexp(`^Active connections: \d+ \nserver accepts handled requests\n 1 1 1 \n` +
		`Reading: \d+ Writing: \d+ Waiting: \d+ \n$`))
}
