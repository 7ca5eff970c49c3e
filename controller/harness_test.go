package controller_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"go.uber.org/goleak"
	"k8s.io/client-go/kubernetes/fake"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	k8stesting "k8s.io/client-go/testing"

	"github.com/ingresslab/ingresslab/controller"
)

// lab is a controller on a fake API server. The addresses of its pods connect to test servers. The
// controller itself is complete: Run runs on real ports.
type lab struct {
	*gomega.WithT
	t      testing.TB
	client *fake.Clientset
	config controller.Config
	level  slog.LevelVar

	mu      sync.Mutex
	pods    map[string]string // pod address to test server
	watches map[string]int    // opened watches, by resource
	updates sync.Mutex        // one update of an Ingress at a time
}

func newLab(t testing.TB, objects ...runtime.Object) *lab {
	t.Helper()
	l := &lab{
		WithT: gomega.NewWithT(t), t: t, client: fake.NewClientset(objects...),
		pods: map[string]string{}, watches: map[string]int{}, config: controller.DefaultConfig(),
	}
	l.SetDefaultEventuallyTimeout(20 * time.Second)
	l.SetDefaultEventuallyPollingInterval(5 * time.Millisecond)
	l.SetDefaultConsistentlyDuration(300 * time.Millisecond)
	l.config.BindAddress = "127.0.0.1"
	l.config.HTTPPort, l.config.HTTPSPort, l.config.StatusPort, l.config.MetricsPort = 0, 0, 0, 0
	l.config.PublishStatusAddress = []string{"192.0.2.1"}
	l.config.LeaseDuration = time.Second
	l.config.ShutdownGrace = 0
	l.config.ExplainHeader = true
	// The fake API server loses events between a list and the next watch.
	l.client.PrependWatchReactor("*", func(action k8stesting.Action) (bool, watch.Interface, error) {
		options := action.(k8stesting.WatchActionImpl).ListOptions
		w, err := l.client.Tracker().Watch(action.GetResource(), action.GetNamespace(), options)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.watches[action.GetResource().Resource]++
		return true, w, err
	})
	for _, resource := range []string{"secrets", "configmaps"} {
		l.client.PrependReactor("list", resource, l.listByName)
	}
	l.client.PrependReactor("update", "ingresses", l.updateHalf)
	return l
}

// updateHalf makes a status write keep the rest of the object, and the reverse, as an API server
// does. The fake one stores the whole object
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#meaning-of-subresources).
func (l *lab) updateHalf(action k8stesting.Action) (bool, runtime.Object, error) {
	l.updates.Lock()
	defer l.updates.Unlock()
	wanted, isIngress := action.(k8stesting.UpdateAction).GetObject().(*networkingv1.Ingress)
	stored, err := l.client.Tracker().Get(action.GetResource(), action.GetNamespace(), wanted.GetName())
	if !isIngress || err != nil {
		return true, nil, err
	}
	merged := stored.(*networkingv1.Ingress).DeepCopy()
	if action.GetSubresource() == "status" {
		merged.Status = wanted.Status
	} else {
		status := merged.Status
		merged = wanted.DeepCopy()
		merged.Status = status
	}
	return true, merged, l.client.Tracker().Update(action.GetResource(), merged, action.GetNamespace())
}

// listByName implements the field selector metadata.name, which the fake API server lacks.
func (l *lab) listByName(action k8stesting.Action) (bool, runtime.Object, error) {
	name, found := action.(k8stesting.ListAction).GetListRestrictions().Fields.RequiresExactMatch("metadata.name")
	if !found {
		return false, nil, nil
	}
	object, err := l.client.Tracker().Get(action.GetResource(), action.GetNamespace(), name)
	if apierrors.IsNotFound(err) {
		err = nil
	}
	switch o := object.(type) {
	case *corev1.Secret:
		return true, &corev1.SecretList{Items: []corev1.Secret{*o}}, err
	case *corev1.ConfigMap:
		return true, &corev1.ConfigMapList{Items: []corev1.ConfigMap{*o}}, err
	}
	if action.GetResource().Resource == "secrets" {
		return true, &corev1.SecretList{}, err
	}
	return true, &corev1.ConfigMapList{}, err
}

// running is one started controller.
type running struct {
	*lab
	controller.Addresses
	stop      func()
	done      chan error
	accessLog *safeBuffer
	log       *safeBuffer
}

// start runs a controller until the test ends, and waits until it has read all objects.
func (l *lab) start() *running {
	l.t.Helper()
	r := l.launch()
	l.Eventually(func() int { return r.status(r.Metrics, "", "/readyz") }).Should(gomega.Equal(http.StatusOK))
	l.Eventually(func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return min(l.watches["ingresses"], l.watches["ingressclasses"], l.watches["services"], l.watches["endpointslices"])
	}).Should(gomega.BeNumerically(">=", 1))
	return r
}

// launch is start without the wait.
func (l *lab) launch() *running {
	l.t.Helper()
	before := goleak.IgnoreCurrent()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{lab: l, stop: stop, done: make(chan error, 1), accessLog: &safeBuffer{}, log: &safeBuffer{}}
	bound := make(chan controller.Addresses, 1)
	go func() {
		r.done <- controller.Run(ctx, l.config, controller.Deps{
			Client: l.client, LogLevel: &l.level, AccessLog: r.accessLog, Dial: l.dial,
			Log:       slog.New(slog.NewTextHandler(r.log, nil)),
			Listening: func(a controller.Addresses) { bound <- a },
		})
	}()
	select {
	case r.Addresses = <-bound:
	case err := <-r.done:
		stop()
		l.t.Fatalf("controller did not start: %v", err)
	}
	l.t.Cleanup(func() {
		stop()
		l.Expect(r.wait()).To(gomega.Succeed())
		http.DefaultClient.CloseIdleConnections()
		if _, benchmark := l.t.(*testing.B); !benchmark {
			goleak.VerifyNone(l.t, before)
		}
	})
	return r
}

// wait returns the result of Run. It can be called repeatedly.
func (r *running) wait() error {
	err := <-r.done
	r.done <- err
	return err
}

func (l *lab) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	to, ok := l.pods[address]
	l.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("dial %s: no such pod", address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, to)
}

// pod starts a pod at an address such as "10.0.0.1:80".
func (l *lab) pod(address string, handler http.HandlerFunc) {
	backend := httptest.NewServer(handler)
	l.t.Cleanup(backend.Close)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pods[address] = backend.Listener.Addr().String()
}

// says starts a pod that responds with a word.
func (l *lab) says(address, word string) {
	l.pod(address, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, word) })
}

// get requests a path of a host and returns "status body".
func (r *running) get(host, path string) string {
	status, body := r.fetch(r.HTTP, host, path)
	line, _, _ := strings.Cut(body, "\n")
	return fmt.Sprintf("%d %s", status, line)
}

// getter returns get as a function, for Eventually.
func (r *running) getter(host, path string) func() string {
	return func() string { return r.get(host, path) }
}

func (r *running) status(address, host, path string) int {
	status, _ := r.fetch(address, host, path)
	return status
}

// fetch returns status 0 without a response.
func (r *running) fetch(address, host, path string) (int, string) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Host = host
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// safeBuffer is safe for concurrent use.
type safeBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
