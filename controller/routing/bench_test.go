package routing_test

import (
	"fmt"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/controller/routing"
)

// manyHostsSnapshot has n Ingresses, each with its own host, "/" and "/app", a Service, and two
// endpoints.
func manyHostsSnapshot(n int) routing.Snapshot {
	var s routing.Snapshot
	prefix := networkingv1.PathTypePrefix
	port := int32(8080)
	for i := range n {
		meta := metav1.ObjectMeta{Namespace: fmt.Sprintf("ns-%d", i%50), Name: fmt.Sprintf("app-%d", i),
			Annotations: map[string]string{"nginx.ingress.kubernetes.io/proxy-read-timeout": "90", "example.com/owner": "shop"}}
		backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: meta.Name,
			Port: networkingv1.ServiceBackendPort{Number: 80}}}
		s.Ingresses = append(s.Ingresses, &networkingv1.Ingress{ObjectMeta: meta,
			Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
				Host: fmt.Sprintf("host-%d.test", i),
				IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{
					{Path: "/", PathType: &prefix, Backend: backend}, {Path: "/app", PathType: &prefix, Backend: backend},
				}}},
			}}}})
		s.Services = append(s.Services, &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}})
		slice := &discoveryv1.EndpointSlice{ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4,
			Ports: []discoveryv1.EndpointPort{{Port: &port}}}
		slice.Labels = map[string]string{discoveryv1.LabelServiceName: meta.Name}
		for j := range 2 {
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
				Addresses: []string{fmt.Sprintf("10.%d.%d.%d", i/250, i%250, j+1)},
				TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: fmt.Sprintf("%s-%d", meta.Name, j)},
			})
		}
		s.EndpointSlices = append(s.EndpointSlices, slice)
	}
	return s
}

func manyHosts(n int) *routing.Table {
	table, _ := routing.Build(manyHostsSnapshot(n), routing.Options{WatchIngressWithoutClass: true}, nil)
	return table
}

// BenchmarkBuild builds the table of 10,000 Ingresses with 20,000 endpoints.
func BenchmarkBuild(b *testing.B) {
	s := manyHostsSnapshot(10_000)
	b.ReportAllocs()
	for b.Loop() {
		routing.Build(s, routing.Options{WatchIngressWithoutClass: true}, nil)
	}
}

// BenchmarkDecide decides requests for random hosts of a table with 10,000.
func BenchmarkDecide(b *testing.B) {
	table := manyHosts(10_000)
	var requests [1024]routing.Request
	for i := range requests {
		requests[i] = routing.Request{Host: fmt.Sprintf("host-%d.test", i*9), Path: "/app/cart/items"}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if d := table.Decide(requests[i%len(requests)]); d.Action != routing.Forward {
			b.Fatal(d.Reason)
		}
		i++
	}
}

// BenchmarkTableSize measures the memory of a table of 10,000 Ingresses with 20,000 endpoints,
// without the objects in the Snapshot.
func BenchmarkTableSize(b *testing.B) {
	s := manyHostsSnapshot(10_000)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var size uint64
	for b.Loop() {
		before := heap()
		table, _ := routing.Build(s, routing.Options{WatchIngressWithoutClass: true}, nil)
		size = heap() - before
		runtime.KeepAlive(table)
	}
	b.ReportMetric(float64(size)/(1<<20), "MB")
	runtime.KeepAlive(s)
}
