package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/controller/proxy"
	"github.com/ingresslab/ingresslab/controller/routing"
)

// host is the host of the rules in the test tables.
const host = "shop.test"

// rig is a proxy.Server on a real listener, with pods whose addresses are mapped to test servers.
type rig struct {
	t       testing.TB
	server  *proxy.Server
	address string
	records chan proxy.Record
	cancel  context.CancelCauseFunc

	mu   sync.Mutex
	pods map[string]string // pod address to test server

	hangs []string // addresses that never respond to a dial
}

// newRig starts a proxy with the options; the rig sets the dial functions and Observe.
func newRig(t testing.TB, o proxy.Options) *rig {
	t.Helper()
	r := &rig{t: t, pods: map[string]string{}, records: make(chan proxy.Record, 10_000)}
	o.Dial, o.DialExternal = r.dial, r.dial
	o.Observe = func(record *proxy.Record) {
		select {
		case r.records <- *record:
		default: // a benchmark, which reads no records
		}
	}
	r.server = proxy.New(o)
	ctx, cancel := context.WithCancelCause(context.Background())
	r.cancel = cancel
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address = listener.Addr().String()
	httpServer := proxy.NewHTTPServer(ctx, r.server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = httpServer.Serve(proxy.Listen(listener)) // ends with the Close below
	}()
	t.Cleanup(func() {
		cancel(proxy.ErrShutdown)
		_ = httpServer.Close()
		<-done
		r.server.CloseIdle()
	})
	return r
}

// dial maps addresses of pods, and names of auth services and mirrors, to test servers. It refuses
// other addresses.
func (r *rig) dial(ctx context.Context, network, address string) (net.Conn, error) {
	r.mu.Lock()
	to, ok := r.pods[address]
	silent := slices.Contains(r.hangs, address)
	r.mu.Unlock()
	if silent {
		return nil, hang(ctx)
	}
	if !ok {
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, to)
}

// pod starts a pod at the address, such as "10.0.0.1:80".
func (r *rig) pod(address string, handler http.HandlerFunc) *httptest.Server {
	backend := httptest.NewServer(handler)
	r.t.Cleanup(backend.Close)
	r.podAt(address, backend.Listener.Addr().String())
	return backend
}

func (r *rig) podAt(address, listener string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods[address] = listener
}

// route loads a table that routes the host to the pods at the addresses.
func (r *rig) route(annotations map[string]string, addresses ...string) {
	r.t.Helper()
	table, problems := routing.Build(snapshot(annotations, addresses), routing.Options{IngressClass: "lab"}, nil)
	if len(problems) > 0 {
		r.t.Fatalf("table with problems: %v", problems)
	}
	r.server.Swap(table)
}

func snapshot(annotations map[string]string, addresses []string) routing.Snapshot {
	prefix := networkingv1.PathTypePrefix
	ingress := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "1",
			Annotations: map[string]string{"kubernetes.io/ingress.class": "lab"}},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
			Host: host,
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: &prefix,
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
					Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80},
				}},
			}}}},
		}}},
	}
	for key, value := range annotations {
		ingress.Annotations["nginx.ingress.kubernetes.io/"+key] = value
	}
	s := routing.Snapshot{
		Ingresses: []*networkingv1.Ingress{ingress},
		Services: []*corev1.Service{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
			Spec:       corev1.ServiceSpec{ClusterIP: "10.96.0.1", Ports: []corev1.ServicePort{{Port: 80}}},
		}},
	}
	for i, address := range addresses {
		s.EndpointSlices = append(s.EndpointSlices, slice(i, address))
	}
	return s
}

// slice has one endpoint, so that each can have its own port.
func slice(i int, address string) *discoveryv1.EndpointSlice {
	ip, portText, _ := strings.Cut(address, ":")
	var port int32
	_, _ = fmt.Sscan(portText, &port)
	name := ""
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: fmt.Sprintf("web-%d", i),
			Labels: map[string]string{discoveryv1.LabelServiceName: "web"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{ip},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web-" + ip},
		}},
	}
}

// request makes a request for the host and path.
func (r *rig) request(method, path string, body io.Reader) *http.Request {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.address+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Host = host
	return request
}

// do sends the request on a new connection and reads the response.
func (r *rig) do(request *http.Request) (*http.Response, string) {
	r.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatalf("read body: %v", err)
	}
	return response, string(body)
}

// get sends a GET.
func (r *rig) get(path string) (*http.Response, string) {
	r.t.Helper()
	return r.do(r.request(http.MethodGet, path, nil))
}

// record waits for the record of a request.
func (r *rig) record() proxy.Record {
	r.t.Helper()
	select {
	case record := <-r.records:
		return record
	case <-r.t.Context().Done():
		r.t.Fatal("no record")
		return proxy.Record{}
	}
}

// say responds with a word.
func say(word string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, word) }
}
