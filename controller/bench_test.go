package controller_test

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

// BenchmarkChangeIsLive measures from the write of an EndpointSlice to the first request that the new endpoint answers, on
// an idle controller with a hundred Ingresses. The settle time of 5 ms is part of it.
func BenchmarkChangeIsLive(b *testing.B) {
	objects := []runtime.Object{ours(), ingress("web", "lab", "shop.test"), service("web"), endpoints("web", "10.0.0.1:80")}
	for i := range 100 {
		name := fmt.Sprintf("web-%d", i)
		objects = append(objects, ingress(name, "lab", name+".test"), service(name), endpoints(name, fmt.Sprintf("10.0.1.%d:80", i)))
	}
	l := newLab(b, objects...)
	l.says("10.0.0.1:80", "one")
	l.says("10.0.0.2:80", "two")
	c := l.start()
	answers := []struct{ endpoint, want string }{{"10.0.0.2:80", "200 two"}, {"10.0.0.1:80", "200 one"}}
	var total time.Duration
	for i := 0; b.Loop(); i++ {
		next := answers[i%2]
		start := time.Now()
		l.setEndpoints("web", next.endpoint)
		for c.get("shop.test", "/") != next.want {
			continue
		}
		total += time.Since(start)
	}
	b.ReportMetric(float64(total.Microseconds())/float64(b.N)/1000, "ms/change")
}
