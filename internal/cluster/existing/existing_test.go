package existing

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

func object(apiVersion, kind, namespace, name string, labels map[string]string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	o.SetLabels(labels)
	return o
}

var ours = map[string]string{ownerLabel: owner}

// fakeCluster contains objects of the kinds that ingresslab creates.
func fakeCluster(objects ...*unstructured.Unstructured) (*kube.Client, *dynamicfake.FakeDynamicClient) {
	mapper := meta.NewDefaultRESTMapper(nil)
	lists := map[schema.GroupVersionResource]string{}
	for _, k := range kinds {
		gvk := object(k.apiVersion, k.kind, "", "", nil).GroupVersionKind()
		mapper.Add(gvk, meta.RESTScopeRoot)
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		lists[plural] = k.kind + "List"
	}
	service := schema.GroupVersionKind{Version: "v1", Kind: "Service"}
	mapper.Add(service, meta.RESTScopeNamespace)
	var stored []kruntime.Object
	for _, o := range objects {
		stored = append(stored, o)
	}
	dyn := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(kruntime.NewScheme(), lists, stored...)
	return kube.NewFor(fake.NewClientset(), dyn, mapper), dyn
}

func TestRefuseForeignProtectsUnlabeledObjects(t *testing.T) {
	k, _ := fakeCluster(
		object("networking.k8s.io/v1", "IngressClass", "", "ingresslab", nil),
		object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "ingresslab:ingress-controller", ours),
	)
	err := refuseForeign(t.Context(), k, "prod", []*unstructured.Unstructured{
		object("networking.k8s.io/v1", "IngressClass", "", "ingresslab", ours),
		object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "ingresslab:ingress-controller", ours),
		object("v1", "Namespace", "", "ingresslab-system", ours),
	})
	var foreign *ForeignError
	if !errors.As(err, &foreign) || !slices.Equal(foreign.Objects, []string{"ingressclass ingresslab"}) {
		t.Errorf("got %v; want only ingressclass ingresslab", err)
	}
}

func TestRemoveDeletesOnlyLabeledObjects(t *testing.T) {
	k, dyn := fakeCluster(
		object("networking.k8s.io/v1", "IngressClass", "", "ingresslab", ours),
		object("networking.k8s.io/v1", "IngressClass", "", "brought-x", map[string]string{"ingresslab.dev/run": "x"}),
		object("networking.k8s.io/v1", "IngressClass", "", "nginx", nil),
		object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "admin", nil),
		object("v1", "Namespace", "", "ingresslab-system", ours),
		object("v1", "Namespace", "", "lab-1", map[string]string{"ingresslab.dev/lab": "host-routing"}),
		object("v1", "Namespace", "", "default", nil),
	)
	if err := remove(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, of := range kinds {
		gvk := object(of.apiVersion, of.kind, "", "", nil).GroupVersionKind()
		resource, _ := meta.UnsafeGuessKindToResource(gvk)
		list, err := dyn.Resource(resource).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			left = append(left, o.GetName())
		}
	}
	if want := []string{"default", "nginx", "admin"}; !slices.Equal(left, want) {
		t.Errorf("remaining objects %v, want %v", left, want)
	}
}

func TestQuestionListsServerAndObjects(t *testing.T) {
	k, _ := fakeCluster()
	text, err := describeChanges(k, &record{Context: "prod", Server: "https://api.example.com"}, []*unstructured.Unstructured{
		object("networking.k8s.io/v1", "IngressClass", "", "ingresslab", ours),
		object("v1", "Service", "ingresslab-system", "ingress-controller", ours),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`context "prod"`, "https://api.example.com", "whole cluster: ingressclass ingresslab", "namespace ingresslab-system: 1 objects",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the question does not contain %q:\n%s", want, text)
		}
	}
}

func TestIsLocal(t *testing.T) {
	for server, want := range map[string]bool{
		"https://127.0.0.1:6443": true, "https://localhost:6443": true, "https://[::1]:6443": true, "https://0.0.0.0:33011": true,
		"https://kubernetes.docker.internal:6443": true, "https://10.0.0.5:6443": false, "https://192.168.1.2": false,
		"https://api.example.com": false, "https://localhost.example.com": false, "::": false,
	} {
		if isLocal(server) != want {
			t.Errorf("%s is local: %v, want %v", server, !want, want)
		}
	}
}

const userKubeconfig = `apiVersion: v1
kind: Config
current-context: work
clusters:
- {name: work, cluster: {server: "https://work.example.com"}}
- {name: play, cluster: {server: "https://127.0.0.1:1", certificate-authority: ca.crt}}
contexts:
- {name: work, context: {cluster: work, user: work}}
- {name: play, context: {cluster: play, user: play, namespace: mine}}
- {name: torn, context: {cluster: gone, user: play}}
users:
- {name: work, user: {token: work-secret}}
- {name: play, user: {token: play-secret}}
`

func newProvider(t *testing.T, o Options) *provider {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"config": userKubeconfig, "ca.crt": "certificate"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o.Kubeconfig, o.StateDir = filepath.Join(dir, "config"), filepath.Join(dir, "state")
	return New(o)
}

// The copy contains only the data of one context, and no other secret.
func TestLoadCopiesContext(t *testing.T) {
	p := newProvider(t, Options{Context: "play"})
	rec, err := p.load("x")
	if err != nil || rec.Server != "https://127.0.0.1:1" {
		t.Fatalf("got %+v, %v", rec, err)
	}
	copied, err := clientcmd.LoadFromFile(p.store.Kubeconfig("x"))
	if err != nil {
		t.Fatal(err)
	}
	if copied.CurrentContext != "play" || len(copied.Clusters) != 1 || len(copied.AuthInfos) != 1 ||
		copied.AuthInfos["play"].Token != "play-secret" {
		t.Errorf("copied: %+v", copied)
	}
	if string(copied.Clusters["play"].CertificateAuthorityData) != "certificate" {
		t.Error("the copy refers to a file of the original")
	}
}

func TestUpRejectsInvalidContext(t *testing.T) {
	for context, want := range map[string]string{
		"":     "--context: name a context of your kubeconfig: play, torn, work",
		"plya": `--context: context "plya" not found: play, torn, work`,
		"torn": `--context: context "torn" refers to cluster "gone", which the kubeconfig does not contain`,
	} {
		_, err := newProvider(t, Options{Context: context}).Up(t.Context(), cluster.Spec{Name: "x"}, cluster.Quiet{})
		var spec *cluster.SpecError
		if !errors.As(err, &spec) || err.Error() != want {
			t.Errorf("%q: got %v, want %s", context, err, want)
		}
	}
	if _, err := newProvider(t, Options{}).Get(t.Context(), "x"); !errors.As(err, new(*cluster.NotFoundError)) {
		t.Errorf("Get without a context: %v", err)
	}
}

func TestUpRejectsSettingsOfNewClusters(t *testing.T) {
	for flag, spec := range map[string]cluster.Spec{
		"--nodes": {Nodes: 3}, "--node-image": {NodeImage: "x:1"}, "--recreate": {Recreate: true}, "--merge-kubeconfig": {MergeKubeconfig: true},
	} {
		_, err := newProvider(t, Options{Context: "play"}).Up(t.Context(), spec, cluster.Quiet{})
		if err == nil || !strings.HasPrefix(err.Error(), flag+": ") {
			t.Errorf("%s: got %v", flag, err)
		}
	}
}

func TestCheckArchitecture(t *testing.T) {
	node := func(arch string) (n corev1.Node) {
		n.Status.NodeInfo.OperatingSystem, n.Status.NodeInfo.Architecture = "linux", arch
		return n
	}
	if err := checkArchitecture([]corev1.Node{node("m68k"), node(runtime.GOARCH)}); err != nil {
		t.Errorf("one matching node: %v", err)
	}
	if err := checkArchitecture([]corev1.Node{node("m68k")}); err == nil || !strings.Contains(err.Error(), "linux/m68k") {
		t.Errorf("no matching node: %v", err)
	}
}

func TestChoosePorts(t *testing.T) {
	inUse, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = inUse.Close() }()
	port := inUse.Addr().(*net.TCPAddr).Port
	_, err = choosePorts(t.Context(), [3]int{cluster.AnyPort, port, cluster.AnyPort}, cluster.Quiet{})
	var portInUse *cluster.PortInUseError
	if !errors.As(err, &portInUse) || portInUse.Flag != "--https-port" {
		t.Errorf("requested port in use: %v", err)
	}
	ports, err := choosePorts(t.Context(), [3]int{cluster.AnyPort, cluster.AnyPort, cluster.AnyPort}, cluster.Quiet{})
	if err != nil || ports[0] == 0 || ports[0] == ports[1] || ports[1] == ports[2] {
		t.Errorf("any ports: %v, %v", ports, err)
	}
}

// The command must open the same ports as the printed addresses.
func TestForwardCommandUsesRequestedPorts(t *testing.T) {
	for want, requests := range map[string][3]int{
		"8080:80 8443:443 18080:18080": {0, cluster.AnyPort, 0},
		"9080:80 8443:443 9081:18080":  {9080, 0, 9081},
	} {
		if got := forwardCommand(expectedPorts(requests)); !strings.HasSuffix(got, " "+want) {
			t.Errorf("ports %v: %q does not end in %q", requests, got, want)
		}
	}
}
