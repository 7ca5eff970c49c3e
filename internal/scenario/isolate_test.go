package scenario

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestHostsGetRunName(t *testing.T) {
	names := isolation{run: "k3f9d"}
	for in, want := range map[string]string{
		"shop.test":                        "shop.k3f9d.test",
		"a.shop.test":                      "a.shop.k3f9d.test",
		"*.shop.test":                      "*.shop.k3f9d.test",
		"SHOP.TEST":                        "SHOP.k3f9d.TEST",
		"https://shop.test/?to=other.test": "https://shop.k3f9d.test/?to=other.k3f9d.test",
		"shop.test:8080":                   "shop.k3f9d.test:8080",
		"shop.test.example.com":            "shop.test.example.com",
		"shop.tests":                       "shop.tests",
		"latest":                           "latest",
		"test":                             "test",
		"cheddar.localhost":                "cheddar.localhost",
		"10.0.0.1":                         "10.0.0.1",
	} {
		if got := names.text(in); got != want {
			t.Errorf("text(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := names.url("http://shop.test/shop.test?a=b.test"), "http://shop.k3f9d.test/shop.test?a=b.test"; got != want {
		t.Errorf("url = %q, want %q: the path belongs to the application", got, want)
	}
	if got := (isolation{}).text("shop.test"); got != "shop.test" {
		t.Errorf("without a run, shop.test became %q", got)
	}
}

func TestObjectsGetRunNames(t *testing.T) {
	names := isolation{scenario: "s", run: "k3f9d", namespace: "lab-s-k3f9d", classes: map[string]string{"foreign": "foreign-k3f9d"}}
	in := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
		"metadata": map[string]any{"name": "web", "annotations": map[string]any{"redirect": "https://new.test/", "secret": "$NAMESPACE/users"}},
		"spec": map[string]any{
			"ingressClassName": "foreign",
			"rules":            []any{map[string]any{"host": "a.test"}, map[string]any{}},
			"tls":              []any{map[string]any{"hosts": []any{"a.test", "b.example.com"}}},
		},
	}}
	before := in.DeepCopy()
	want := map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
		"metadata": map[string]any{
			"name": "web", "namespace": "lab-s-k3f9d", "annotations": map[string]any{"redirect": "https://new.k3f9d.test/",
				"secret": "lab-s-k3f9d/users"},
			"labels": map[string]any{"ingresslab.dev/run": "k3f9d", "ingresslab.dev/scenario": "s"},
		},
		"spec": map[string]any{
			"ingressClassName": "foreign-k3f9d",
			"rules":            []any{map[string]any{"host": "a.k3f9d.test"}, map[string]any{}},
			"tls":              []any{map[string]any{"hosts": []any{"a.k3f9d.test", "b.example.com"}}},
		},
	}
	if diff := cmp.Diff(want, names.object(in).Object); diff != "" {
		t.Errorf("object of the run (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before.Object, in.Object); diff != "" {
		t.Errorf("the scenario's own object was changed:\n%s", diff)
	}
	class := &unstructured.Unstructured{Object: map[string]any{"kind": "IngressClass", "metadata": map[string]any{"name": "foreign"}}}
	if got := names.object(class); got.GetName() != "foreign-k3f9d" || got.GetNamespace() != "" {
		t.Errorf("class of the run is %s in namespace %q", got.GetName(), got.GetNamespace())
	}
}

func TestRunIDsAreDNSLabelsAndDiffer(t *testing.T) {
	from := draws(NewSeed(), "names")
	seen := map[string]bool{}
	for range 100 {
		id := newRunID(from)
		if !regexp.MustCompile(`^[a-z][a-z0-9]{4}$`).MatchString(id) || seen[id] {
			t.Fatalf("run id %q (%d before it)", id, len(seen))
		}
		seen[id] = true
	}
}
