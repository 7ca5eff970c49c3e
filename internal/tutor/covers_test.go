package tutor

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestCoversLooksAtWhatTheFileSaysAlone(t *testing.T) {
	type object = map[string]any
	tests := map[string]struct {
		there, wanted any
		want          bool
	}{
		"added by the API server":        {object{"spec": object{"replicas": int64(2), "paused": false}}, object{"spec": object{"replicas": int64(2)}}, true},
		"another value":                  {object{"replicas": int64(1)}, object{"replicas": int64(2)}, false},
		"a field that is not there":      {object{}, object{"replicas": int64(2)}, false},
		"the same quantity":              {object{"cpu": "500m"}, object{"cpu": "0.5"}, true},
		"another quantity":               {object{"cpu": "500m"}, object{"cpu": "0.6"}, false},
		"a number written as a fraction": {object{"port": int64(80)}, object{"port": float64(80)}, true},
		"an empty text that is left out": {object{}, object{"clusterName": ""}, true},
		"an empty object is left out":    {object{}, object{"emptyDir": object{}}, true},
		"null asks for nothing":          {object{"a": "b"}, object{"a": nil}, true},
		"a longer list":                  {object{"hosts": []any{"a", "b"}}, object{"hosts": []any{"a"}}, false},
		"a list in another order":        {object{"hosts": []any{"a", "b"}}, object{"hosts": []any{"b", "a"}}, false},
		"an empty list that is left out": {object{}, object{"hosts": []any{}}, true},
		"status is not the student's":    {object{"spec": object{}}, object{"spec": object{}, "status": object{"replicas": int64(1)}}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := covers(test.there, test.wanted); got != test.want {
				t.Errorf("covers(%v, %v) is %t", test.there, test.wanted, got)
			}
		})
	}
}

func TestASecretIsComparedAsItIsKept(t *testing.T) {
	file := &unstructured.Unstructured{Object: map[string]any{
		"kind": "Secret", "data": map[string]any{"a": "MQ=="}, "stringData": map[string]any{"b": "2"},
	}}
	kept := map[string]any{"kind": "Secret", "data": map[string]any{"a": "MQ==", "b": "Mg=="}}
	if !covers(kept, encoded(file).Object) {
		t.Errorf("%v is not taken for %v", encoded(file).Object, kept)
	}
	if _, ok := file.Object["stringData"]; !ok {
		t.Error("the file's own object was changed")
	}
	kept["data"] = map[string]any{"a": "MQ==", "b": "Mw=="}
	if covers(kept, encoded(file).Object) {
		t.Error("another value is taken for the same")
	}
}
