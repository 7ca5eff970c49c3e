package benchmark

import (
	"errors"
	"testing"
	"time"
)

func TestPlaceIsUniquePerPod(t *testing.T) {
	for _, s := range []Size{
		{Ingresses: 1, Pods: 1, Services: 1},
		{Ingresses: 10, Pods: 7, Services: 3},
		{Ingresses: 1200, Pods: 2600, Services: 1100},
	} {
		names, perService, perNode := map[string]bool{}, map[int]int{}, map[int]int{}
		for pod := range s.Pods {
			service, ordinal, node := s.place(pod)
			if service >= s.Services || node >= s.nodes() {
				t.Fatalf("%+v: pod %d is at service %d, node %d", s, pod, service, node)
			}
			if ordinal >= s.podsOf(service) {
				t.Errorf("%+v: pod %d is number %d of a service with %d", s, pod, ordinal, s.podsOf(service))
			}
			names[namespaceOf(service)+"/"+podName(service, ordinal)] = true
			perService[service]++
			perNode[node]++
		}
		if len(names) != s.Pods {
			t.Errorf("%+v: %d names for %d pods", s, len(names), s.Pods)
		}
		for service := range s.Services {
			if n := perService[service]; n != s.podsOf(service) || n < s.Pods/s.Services || n > s.Pods/s.Services+1 {
				t.Errorf("%+v: service %d has %d pods, says %d", s, service, n, s.podsOf(service))
			}
		}
		for node, n := range perNode {
			if n > podsOfANode {
				t.Errorf("%+v: node %d has %d pods", s, node, n)
			}
		}
	}
}

func TestIngressRoutesToServiceInSameNamespace(t *testing.T) {
	s := Size{Ingresses: 1500, Pods: 700, Services: 600}
	hosts := map[string]bool{}
	for i := range s.Ingresses {
		ingress := s.newIngress(i)
		backend := ingress.Spec.Rules[0].HTTP.Paths[0].Backend.Service
		service := newService(s.serviceOf(i))
		if ingress.Namespace != service.Namespace || backend.Name != service.Name || backend.Port.Name != service.Spec.Ports[0].Name {
			t.Fatalf("ingress %d leads to %+v, and the Service is %s/%s", i, backend, service.Namespace, service.Name)
		}
		hosts[ingress.Spec.Rules[0].Host] = true
	}
	if len(hosts) != s.Ingresses {
		t.Errorf("%d hosts for %d Ingresses", len(hosts), s.Ingresses)
	}
	if last := namespaceOf(s.Services - 1); last != namespaceName(s.namespaces()-1) {
		t.Errorf("the last Service is in %s, and there are %d namespaces", last, s.namespaces())
	}
}

func TestServiceSelectsItsPods(t *testing.T) {
	service, pod, other := newService(7), newPod(7, 1, 0), newPod(8, 1, 0)
	for key, value := range service.Spec.Selector {
		if pod.Labels[key] != value || other.Labels[key] == value {
			t.Errorf("selector %v, labels %v and %v", service.Spec.Selector, pod.Labels, other.Labels)
		}
	}
}

func TestCheckRejectsInvalidSize(t *testing.T) {
	good := Size{Ingresses: 10, Pods: 20, Duration: time.Minute}
	if err := good.Check(); err != nil || good.Services != 10 {
		t.Errorf("got %v and %d Services", err, good.Services)
	}
	fewer := Size{Ingresses: 30, Pods: 20, Duration: time.Minute}
	if err := fewer.Check(); err != nil || fewer.Services != 20 {
		t.Errorf("got %v and %d Services", err, fewer.Services)
	}
	for flag, bad := range map[string]Size{
		"--ingresses": {Ingresses: maxIngresses + 1, Pods: 1, Duration: time.Minute},
		"--pods":      {Ingresses: 1, Pods: -1, Services: 1, Duration: time.Minute},
		"--services":  {Ingresses: 1, Pods: 1, Services: 2, Duration: time.Minute},
		"--churn":     {Ingresses: 1, Pods: 1, Churn: maxChurn + 1, Duration: time.Minute},
		"--duration":  {Ingresses: 1, Pods: 1},
	} {
		var limit *LimitError
		if err := bad.Check(); !errors.As(err, &limit) || limit.Flag != flag {
			t.Errorf("%+v: got %v, want a fault of %s", bad, err, flag)
		}
	}
}
