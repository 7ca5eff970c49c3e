package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// UnknownFielder is a struct with its own message for an unknown field.
type UnknownFielder interface {
	// UnknownField returns the message for a field called name.
	UnknownField(name string) string
}

// Decode reads the only document of data into the struct that into points to, by its `yaml` tags. It returns the position of each
// field, and all diagnostics. A document with errors is decoded as far as possible, so that further checks can find more.
//
// It supports structs, maps of strings, slices, strings, booleans, int (32 bits in the file), float64, pointers to those, and types
// with UnmarshalText. A field of type any gets JSON's types, with int64 for whole numbers. A list of strings can be a single string.
// firstLine is the line of the file in which data begins: 1, unless data is a part of a file.
func Decode(file string, data []byte, firstLine int, into any) (Positions, Diagnostics) {
	d := &decoder{file: file, offset: firstLine - 1, positions: Positions{}}
	root := d.parse(data)
	if root != nil {
		d.value(root, reflect.ValueOf(into).Elem(), "")
	}
	return d.positions, d.found
}

type decoder struct {
	file      string
	offset    int
	positions Positions
	found     Diagnostics
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// parse returns the root of the only document, or nil after a diagnostic.
func (d *decoder) parse(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc, extra yaml.Node
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		d.found = append(d.found, Diagnostic{File: d.file, Position: Position{Line: d.offset + 1}, Message: "the document is empty"})
		return nil
	case err != nil:
		d.syntax(err)
		return nil
	}
	switch err := dec.Decode(&extra); {
	case err == nil:
		d.report(&extra, "", "one document is expected, a second one begins here")
	case !errors.Is(err, io.EOF):
		d.syntax(err)
	}
	return doc.Content[0]
}

func (d *decoder) syntax(err error) {
	at, message := Position{Line: d.offset + 1}, err.Error()
	if m := syntaxError.FindStringSubmatch(message); m != nil {
		message = m[2]
		if line, convErr := strconv.Atoi(m[1]); convErr == nil {
			at.Line = d.offset + line
		}
	}
	d.found = append(d.found, Diagnostic{File: d.file, Position: at, Message: "not valid YAML: " + message})
}

func (d *decoder) at(n *yaml.Node) Position {
	return Position{Line: n.Line + d.offset, Column: n.Column}
}

func (d *decoder) report(n *yaml.Node, path, format string, args ...any) {
	d.found = append(d.found, Diagnostic{File: d.file, Position: d.at(n), Path: path, Message: fmt.Sprintf(format, args...)})
}

// value decodes n into v, which is settable.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	if _, seen := d.positions[path]; !seen {
		d.positions[path] = d.at(n)
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.report(n, path, "anchors and aliases are not supported: write the value out")
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if d.scalar(n, path, "a single value") {
			if err := text.UnmarshalText([]byte(n.Value)); err != nil {
				d.report(n, path, "%v", err)
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Interface:
		d.free(n, v, path)
	default:
		d.plain(n, v, path)
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if !d.is(n, yaml.MappingNode, path, "fields") {
		return
	}
	fields, names := fieldsOf(v.Type())
	d.entries(n, path, func(key, value *yaml.Node, inner string) {
		name := newName(key.Value, names)
		if name != key.Value {
			d.report(key, path, "%s", renamedTo(key.Value, name))
		}
		if index, known := fields[name]; known {
			d.value(value, v.Field(index), inner)
		} else {
			d.unknown(key, v, path, names)
		}
	})
}

// entries calls each with every key of n, its value, and the value's path. It records the positions of keys, and reports keys that
// are not names or occur twice.
func (d *decoder) entries(n *yaml.Node, path string, each func(key, value *yaml.Node, inner string)) {
	before := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		inner := join(path, key.Value)
		line, twice := before[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!null":
			d.report(key, path, "a name is expected before the colon")
			continue
		case key.Anchor != "":
			d.report(key, path, "anchors and aliases are not supported: write the value out")
			continue
		case key.Tag == "!!merge":
			d.report(key, path, "merge keys are not supported: write the fields out")
			continue
		case twice:
			d.report(key, inner, "the field is given twice, first in line %d", line)
			continue
		}
		before[key.Value] = d.at(key).Line
		if _, seen := d.positions[inner]; !seen {
			d.positions[inner] = d.at(key)
		}
		each(key, n.Content[i+1], inner)
	}
}

func (d *decoder) unknown(key *yaml.Node, v reflect.Value, path string, names []string) {
	f := Diagnostic{File: d.file, Position: d.at(key), Path: path, Suggestion: Nearest(key.Value, names)}
	if own, ok := v.Interface().(UnknownFielder); ok {
		f.Message = own.UnknownField(key.Value)
	} else {
		f.Message = fmt.Sprintf("unknown field %q, the fields are %s", key.Value, strings.Join(names, ", "))
	}
	d.found = append(d.found, f)
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if !d.is(n, yaml.MappingNode, path, "names with values") {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	d.entries(n, path, func(key, value *yaml.Node, inner string) {
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(value, element, inner)
		v.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), element)
	})
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	items := n.Content
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" && v.Type().Elem().Kind() == reflect.String {
		items = []*yaml.Node{n}
	} else if !d.is(n, yaml.SequenceNode, path, "a list") {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

func (d *decoder) plain(n *yaml.Node, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.String:
		if d.scalar(n, path, "text") {
			v.SetString(n.Value)
		}
	case reflect.Bool:
		if d.scalar(n, path, "true or false") {
			on, err := strconv.ParseBool(n.Value)
			if err != nil || n.Tag != "!!bool" {
				d.report(n, path, "%q is neither true nor false", n.Value)
			}
			v.SetBool(on)
		}
	case reflect.Float64:
		if d.scalar(n, path, "a number") {
			v.SetFloat(d.float(n, path))
		}
	default:
		if d.scalar(n, path, "a number") {
			number, err := strconv.ParseInt(n.Value, 10, 32)
			switch {
			case errors.Is(err, strconv.ErrRange):
				d.report(n, path, "%q is too large or too small a number", n.Value)
			case err != nil:
				d.report(n, path, "%q is not a whole number", n.Value)
			}
			v.SetInt(number)
		}
	}
}

func (d *decoder) float(n *yaml.Node, path string) float64 {
	number, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
		d.report(n, path, "%q is not a number", n.Value)
	}
	return number
}

// scalar reports whether n is a single value, and adds a diagnostic with the expected type if it is not.
func (d *decoder) scalar(n *yaml.Node, path, wanted string) bool {
	if !d.is(n, yaml.ScalarNode, path, wanted) {
		return false
	}
	if n.Tag == "!!null" {
		d.report(n, path, "a value is missing: %s is expected", wanted)
		return false
	}
	return true
}

func (d *decoder) is(n *yaml.Node, kind yaml.Kind, path, wanted string) bool {
	if n.Kind == kind {
		return true
	}
	found := map[yaml.Kind]string{yaml.MappingNode: "fields", yaml.SequenceNode: "a list", yaml.ScalarNode: quoteShort(n.Value)}[n.Kind]
	if n.Tag == "!!null" {
		found = "nothing"
	}
	d.report(n, path, "%s expected, %s found", wanted, found)
	return false
}

// quoteShort quotes a value, and shortens it to keep a message on one line.
func quoteShort(value string) string {
	const most = 40
	if runes := []rune(value); len(runes) > most {
		value = string(runes[:most]) + "…"
	}
	return strconv.Quote(value)
}

// fieldsOf returns the index of each field by its YAML name, and the names in the order of the struct.
func fieldsOf(t reflect.Type) (map[string]int, []string) {
	fields, names := map[string]int{}, []string{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			fields[name] = i
			names = append(names, name)
		}
	}
	return fields, names
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// free decodes a value without a type into those of Kubernetes' unstructured objects: map[string]any, []any, string, bool, int64,
// float64, or nil (https://pkg.go.dev/k8s.io/apimachinery/pkg/runtime#DeepCopyJSONValue).
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

// single returns the value of a scalar by its YAML type. A type that JSON lacks, such as a date, remains text.
func (d *decoder) single(n *yaml.Node, path string) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		on, err := strconv.ParseBool(n.Value)
		if err != nil {
			d.report(n, path, "%q is neither true nor false", n.Value)
		}
		return on
	case "!!int":
		number, err := strconv.ParseInt(n.Value, 0, 64)
		if err != nil {
			d.report(n, path, "%q is not a whole number that fits 64 bits", n.Value)
		}
		return number
	case "!!float":
		return d.float(n, path)
	}
	return n.Value
}
