package kube

import (
	"errors"
	"strings"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
)

// recorded is a client that records its requests as "verb resource namespace/name".
func recorded(t *testing.T, refuse string) (*Client, *[]string) {
	t.Helper()
	mapper := apimeta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, apimeta.RESTScopeRoot)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Service"}, apimeta.RESTScopeNamespace)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, apimeta.RESTScopeNamespace)
	var seen []string
	dyn := dynamicfake.NewSimpleDynamicClient(runtime.NewScheme())
	dyn.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		name := ""
		switch a := a.(type) {
		case clienttesting.PatchAction:
			if a.GetPatchType() != types.ApplyPatchType {
				t.Errorf("patch type %s, want a server-side apply", a.GetPatchType())
			}
			name = a.GetName()
		case clienttesting.DeleteAction:
			name = a.GetName()
		}
		seen = append(seen, a.GetVerb()+" "+a.GetResource().Resource+" "+a.GetNamespace()+"/"+name)
		if name == refuse {
			return true, nil, errors.New("refused")
		}
		return true, &unstructured.Unstructured{}, nil
	})
	return NewFor(nil, dyn, mapper), &seen
}

func TestApplyKeepsOrderAndDeleteReversesIt(t *testing.T) {
	c, seen := recorded(t, "")
	namespace := named("v1", "Namespace", "shop")
	namespace.SetNamespace("")
	objs := []*unstructured.Unstructured{namespace, named("v1", "Service", "web")}
	if err := c.Apply(t.Context(), objs...); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), objs...); err != nil {
		t.Fatal(err)
	}
	want := "patch namespaces /shop, patch services shop/web, delete services shop/web, delete namespaces /shop"
	if got := strings.Join(*seen, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestApplyUsesDefaultNamespace(t *testing.T) {
	c, seen := recorded(t, "")
	o := named("v1", "Service", "web")
	o.SetNamespace("")
	if err := c.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if (*seen)[0] != "patch services default/web" {
		t.Errorf("got %s", (*seen)[0])
	}
}

func TestApplyContinuesAfterErrorAndNamesObject(t *testing.T) {
	c, seen := recorded(t, "bad")
	err := c.Apply(t.Context(), named("v1", "Secret", "bad"), named("v1", "Widget", "odd"), named("v1", "Service", "web"))
	if len(*seen) != 2 {
		t.Errorf("requests: %v; want the one refused and the one after", *seen)
	}
	for _, want := range []string{"apply secret shop/bad: refused", "apply widget shop/odd: no matches for kind"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}
