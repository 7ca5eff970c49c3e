package scenario

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// Schema returns the JSON schema of a scenario file for editors. comments is the directory of this
// package's source: the doc comments are the descriptions.
func Schema(comments string) ([]byte, error) {
	r := &jsonschema.Reflector{FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, ExpandedStruct: true, Mapper: mapType}
	if err := r.AddGoComments("github.com/ingresslab/ingresslab/internal/scenario", comments); err != nil {
		return nil, fmt.Errorf("scenario schema: %w", err)
	}
	schema := r.Reflect(&Scenario{})
	schema.ID = ""
	schema.Title = "A scenario of ingresslab"
	data, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("scenario schema: %w", err)
	}
	return append(data, '\n'), nil
}

// mapType returns the schemas of types whose YAML form differs from their Go type.
func mapType(t reflect.Type) *jsonschema.Schema {
	text := func() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }
	switch t {
	case reflect.TypeFor[Duration]():
		s := text()
		s.Pattern = `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
		return s
	case reflect.TypeFor[Strings](), reflect.TypeFor[Apply](), reflect.TypeFor[Delete]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{text(), {Type: "array", Items: text()}}}
	case reflect.TypeFor[Capabilities]():
		one := text()
		for _, c := range cluster.Requirements() {
			one.Enum = append(one.Enum, c)
		}
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{one, {Type: "array", Items: one}}}
	}
	return nil
}

// JSONSchemaExtend requires exactly one verb, which struct tags cannot express.
func (Step) JSONSchemaExtend(s *jsonschema.Schema) {
	for _, verb := range Verbs() {
		s.OneOf = append(s.OneOf, &jsonschema.Schema{Required: []string{verb}})
	}
}
