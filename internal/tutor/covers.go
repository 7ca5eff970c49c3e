package tutor

import (
	"encoding/base64"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// encoded returns an object as the API server keeps it: stringData of a Secret becomes part of data
// (https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/).
func encoded(o *unstructured.Unstructured) *unstructured.Unstructured {
	texts, found, err := unstructured.NestedStringMap(o.Object, "stringData")
	if o.GetKind() != "Secret" || !found || err != nil {
		return o
	}
	o = o.DeepCopy()
	delete(o.Object, "stringData")
	data, _, err := unstructured.NestedStringMap(o.Object, "data")
	if err != nil || data == nil {
		data = map[string]string{}
	}
	for key, text := range texts {
		data[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	// It fails only where data is not a map, and it is one.
	_ = unstructured.SetNestedStringMap(o.Object, data, "data")
	return o
}

// covers tells whether what is there has everything that is wanted, as the file says it: what else is there was added by the
// API server, or by controllers. Lists have to be of the same length.
func covers(there, wanted any) bool {
	switch wanted := wanted.(type) {
	case nil:
		return true
	case map[string]any:
		object, ok := there.(map[string]any)
		if !ok {
			return len(wanted) == 0 && there == nil
		}
		for field, value := range wanted {
			if field != "status" && field != "creationTimestamp" && !covers(object[field], value) {
				return false
			}
		}
		return true
	case []any:
		list, ok := there.([]any)
		if len(list) != len(wanted) || !ok && there != nil {
			return false
		}
		for i := range wanted {
			if !covers(list[i], wanted[i]) {
				return false
			}
		}
		return true
	}
	return sameScalar(there, wanted)
}

// sameScalar compares numbers as numbers, and quantities as such: 0.5 is 500m.
func sameScalar(there, wanted any) bool {
	a, b := fmt.Sprint(there), fmt.Sprint(wanted)
	if a == b {
		return true
	}
	if wanted == "" && there == nil {
		return true
	}
	p, err := resource.ParseQuantity(a)
	if err != nil {
		return false
	}
	q, err := resource.ParseQuantity(b)
	return err == nil && p.Cmp(q) == 0
}
