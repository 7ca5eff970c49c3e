package scenario_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

func objectsOf(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	m, faults := scenario.ReadManifest("web.yaml", []byte(manifest))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return m.Objects
}

func namesOf(objects []*unstructured.Unstructured) string {
	var names []string
	for _, o := range objects {
		names = append(names, strings.ToLower(o.GetKind())+"/"+o.GetName())
	}
	return strings.Join(names, " ")
}

func TestMutationChangesCopies(t *testing.T) {
	objects := objectsOf(t, webYAML)
	mutated, err := scenario.Mutate(objects, scenario.Mutation{
		Patch: []scenario.Patch{
			{Object: "ingress/web", JSON: []map[string]any{
				{"op": "replace", "path": "/spec/rules/0/http/paths/0/pathType", "value": "Exact"},
				{"op": "replace", "path": "/spec/rules/0/http/paths/0/backend/service/port", "value": map[string]any{"name": "web"}},
			}},
			{Object: "service/web", Merge: map[string]any{"spec": map[string]any{"selector": map[string]any{"app": nil, "name": "web"}}}},
		},
		Apply: objectsOf(t, deploymentYAML),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := namesOf(mutated); got != "service/web ingress/web deployment/web" {
		t.Errorf("objects %s", got)
	}
	selector, _, _ := unstructured.NestedMap(mutated[0].Object, "spec", "selector")
	if diff := cmp.Diff(map[string]any{"name": "web"}, selector); diff != "" {
		t.Error(diff)
	}
	text, err := mutated[1].MarshalJSON()
	if err != nil || !strings.Contains(string(text), `"pathType":"Exact"`) || !strings.Contains(string(text), `"port":{"name":"web"}`) {
		t.Errorf("%s, %v", text, err)
	}
	if diff := cmp.Diff(objectsOf(t, webYAML), objects); diff != "" {
		t.Errorf("the objects themselves are changed:\n%s", diff)
	}
}

func TestMutationReplacesAndOmits(t *testing.T) {
	mutated, err := scenario.Mutate(objectsOf(t, webYAML), scenario.Mutation{
		Apply: objectsOf(t, "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 8080}]}\n"),
		Omit:  []string{"ingress/web"},
	})
	if err != nil || namesOf(mutated) != "service/web" {
		t.Fatalf("%s, %v", namesOf(mutated), err)
	}
	if _, found, _ := unstructured.NestedMap(mutated[0].Object, "spec", "selector"); found {
		t.Error("the object is merged with the one that it replaces")
	}
}

func TestMutationWithoutEffectIsError(t *testing.T) {
	for want, m := range map[string]scenario.Mutation{
		"omit[0]: there is no ingress/api among what is applied: service web, ingress web": {Omit: []string{"ingress/api"}},
		"patch[0]: there is no service/api among": {Patch: []scenario.Patch{{Object: "service/api",
			Merge: map[string]any{}}}},
		"patch[0]: there is no service/web among": {Patch: []scenario.Patch{{Object: "service/web",
			Namespace: "ingresslab-system"}}},
		"patch[0]: ingress/web: the patch fails: ": {Patch: []scenario.Patch{{Object: "ingress/web", JSON: []map[string]any{
			{"op": "replace", "path": "/spec/nothing/0", "value": 1},
		}}}},
		`patch[0]: "ingres" is not a kind`: {Patch: []scenario.Patch{{Object: "ingres/web"}}},
	} {
		if _, err := scenario.Mutate(objectsOf(t, webYAML), m); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
