package podspec_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/podspec"
)

// objects returns the API objects of the tests.
func objects() []runtime.Object {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "shop", Name: name} }
	return []runtime.Object{
		&corev1.ConfigMap{ObjectMeta: meta("web-config"), Data: map[string]string{"log.level": "debug", "PORT": "8080"}},
		&corev1.Secret{ObjectMeta: meta("web-tls"), Data: map[string][]byte{"tls.crt": []byte("CERT"), "tls.key": []byte("KEY")}},
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"},
			Spec:       corev1.ServiceSpec{ClusterIP: "10.96.0.1", Ports: []corev1.ServicePort{{Name: "https", Port: 443, Protocol: "TCP"}}},
		},
		&corev1.Service{
			ObjectMeta: meta("api-v2"),
			Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.7", Ports: []corev1.ServicePort{
				{Name: "web-ui", Port: 80}, {Name: "dns", Port: 53, Protocol: "UDP"},
			}},
		},
		&corev1.Service{ObjectMeta: meta("peers"), Spec: corev1.ServiceSpec{ClusterIP: "None", Ports: []corev1.ServicePort{{Port: 80}}}},
	}
}

// newNode returns a node in a cluster with the objects.
func newNode(t *testing.T, objects ...runtime.Object) (*podspec.Node, *fake.Clientset) {
	t.Helper()
	services := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, object := range objects {
		if service, ok := object.(*corev1.Service); ok {
			if err := services.Add(service); err != nil {
				t.Fatal(err)
			}
		}
	}
	client := fake.NewClientset(objects...)
	return &podspec.Node{
		Client:        client,
		Name:          "node-1",
		Address:       netip.MustParseAddr("172.30.0.2"),
		HostDir:       filepath.Join(t.TempDir(), "host"),
		Services:      corelisters.NewServiceLister(services),
		DNS:           netip.MustParseAddr("10.96.0.10"),
		ClusterDomain: "cluster.local",
		Allocatable: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("4"),
			corev1.ResourceMemory: resource.MustParse("8Gi"),
		},
	}, client
}

// newPod parses a pod's spec, creates its directory, and sets defaults like the API server.
func newPod(t *testing.T, spec string) podspec.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web-0", UID: "a-b-c",
		Labels:      map[string]string{"app": "web", "tier": "front"},
		Annotations: map[string]string{"build": "say \"hi\""},
	}}
	if err := yaml.UnmarshalStrict([]byte(spec), &pod.Spec); err != nil {
		t.Fatal(err)
	}
	pod.Spec.NodeName = "node-1"
	if pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = "default"
	}
	if pod.Spec.DNSPolicy == "" {
		pod.Spec.DNSPolicy = corev1.DNSClusterFirst
	}
	return podspec.Pod{Pod: pod, Address: netip.MustParseAddr("10.244.0.5"), Dir: t.TempDir()}
}

// render renders the pod's first container.
func render(t *testing.T, node *podspec.Node, pod podspec.Pod) container.Spec {
	t.Helper()
	if err := node.Volumes(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	spec, err := node.Render(t.Context(), pod, &pod.Spec.Containers[0])
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// source returns the source of the mount at target.
func source(t *testing.T, spec container.Spec, target string) container.Mount {
	t.Helper()
	for _, mount := range spec.Mounts {
		if mount.Target == target {
			return mount
		}
	}
	t.Fatalf("no mount at %s: %v", target, spec.Mounts)
	return container.Mount{}
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
