package strictyaml_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

type change struct {
	Merge map[string]any   `yaml:"merge"`
	JSON  []map[string]any `yaml:"json"`
}

func TestDecodeUntypedValueToJSONTypes(t *testing.T) {
	const doc = `merge:
  metadata: {annotations: {example.dev/a: "8080", gone: null}}
  spec: {replicas: 3, ratio: 0.5, paused: true, since: 2024-01-01, ports: [80, http]}
json:
- {op: replace, path: /spec/replicas, value: 0x10}
`
	var got change
	positions, diagnostics := strictyaml.Decode("c.yaml", []byte(doc), 1, &got)
	if len(diagnostics) > 0 {
		t.Fatal(diagnostics)
	}
	want := change{
		Merge: map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"example.dev/a": "8080", "gone": nil}},
			"spec": map[string]any{
				"replicas": int64(3), "ratio": 0.5, "paused": true, "since": "2024-01-01", "ports": []any{int64(80), "http"},
			},
		},
		JSON: []map[string]any{{"op": "replace", "path": "/spec/replicas", "value": int64(16)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if line := positions.At("merge.spec.replicas").Line; line != 3 {
		t.Errorf("merge.spec.replicas is in line %d, want 3", line)
	}
}

func TestDecodeReportsErrorsInUntypedValue(t *testing.T) {
	for doc, want := range map[string]string{
		"merge: {spec: {replicas: 1, replicas: 2}}": "merge.spec.replicas: the field is given twice, first in line 1",
		"merge: {spec: {a: &x 1}}":                  "anchors and aliases are not supported",
		"merge: [1]":                                "merge: names with values expected, a list found",
		"json: [replace]":                           `json[0]: names with values expected, "replace" found`,
		"merge: {n: .nan}":                          `".nan" is not a number`,
		"merge: {? [a, b] : 1}":                     "merge: a name is expected before the colon",
		"merge: {~: 1}":                             "merge: a name is expected before the colon",
		"merge: {&x a: 1}":                          "merge: anchors and aliases are not supported",
		"merge: {<<: {a: 1}}":                       "merge: merge keys are not supported",
	} {
		var got change
		_, diagnostics := strictyaml.Decode("c.yaml", []byte(doc), 1, &got)
		if !strings.Contains(diagnostics.Error(), want) {
			t.Errorf("%s: %v, want %q", doc, diagnostics, want)
		}
	}
}

// Names of annotations have dots in them, as paths do.
func TestDecodeKeepsDottedNameApart(t *testing.T) {
	var got change
	_, diagnostics := strictyaml.Decode("c.yaml", []byte("merge: {a.b: 1, a: {b: 2}}"), 1, &got)
	want := map[string]any{"a.b": int64(1), "a": map[string]any{"b": int64(2)}}
	if diff := cmp.Diff(want, got.Merge); diff != "" || len(diagnostics) > 0 {
		t.Errorf("%v\n%s", diagnostics, diff)
	}
}

func TestDecodeRejectsNumberOutOfRange(t *testing.T) {
	var got cheese
	_, diagnostics := strictyaml.Decode("c.yaml", []byte("age: 99999999999"), 1, &got)
	if want := `c.yaml:1:6: age: "99999999999" is too large or too small a number`; diagnostics.Error() != want {
		t.Errorf("%v, want %s", diagnostics, want)
	}
}
