package strictyaml

import (
	"math"
	"reflect"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// free decodes what may be anything: fields become a map[string]any, a list a []any, a single value a string, a bool, an
// int64, a float64 or nil. Those are the types that Kubernetes' unstructured objects are made of
// (https://pkg.go.dev/k8s.io/apimachinery/pkg/runtime#DeepCopyJSONValue).
func (d *decoder) free(n *yaml.Node, v reflect.Value, path string) {
	switch n.Kind {
	case yaml.MappingNode:
		fields := map[string]any{}
		d.mapping(n, reflect.ValueOf(&fields).Elem(), path)
		v.Set(reflect.ValueOf(fields))
	case yaml.SequenceNode:
		var items []any
		d.list(n, reflect.ValueOf(&items).Elem(), path)
		v.Set(reflect.ValueOf(items))
	default:
		if value := d.single(n, path); value != nil {
			v.Set(reflect.ValueOf(value))
		}
	}
}

// single returns the value of a scalar by its YAML type; a type that JSON does not have, such as a date, stays text.
func (d *decoder) single(n *yaml.Node, path string) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		on, err := strconv.ParseBool(n.Value)
		if err != nil {
			d.fault(n, path, "%q is neither true nor false", n.Value)
		}
		return on
	case "!!int":
		number, err := strconv.ParseInt(n.Value, 0, 64)
		if err != nil {
			d.fault(n, path, "%q is not a whole number that fits 64 bits", n.Value)
		}
		return number
	case "!!float":
		number, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
			d.fault(n, path, "%q is not a number", n.Value)
		}
		return number
	}
	return n.Value
}
