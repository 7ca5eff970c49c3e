package scenario

import (
	"errors"
	"io/fs"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// locator finds the lines of a manifest that objects and their fields stand in. Kubernetes' decoders tell only the path
// of a wrong field.
type locator []*yaml.Node

// locate parses the documents of a manifest as far as they are YAML.
func locate(data []byte) locator {
	var docs locator
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	for {
		var doc yaml.Node
		if dec.Decode(&doc) != nil {
			return docs
		}
		if len(doc.Content) > 0 {
			docs = append(docs, doc.Content[0])
		}
	}
}

// of returns where the field at path of an object stands: the deepest part of the path that is there. It is zero for an
// object that is not found, such as an item of a List.
func (l locator) of(o *unstructured.Unstructured, path string) strictyaml.Position {
	for _, doc := range l {
		if !isAbout(doc, o) {
			continue
		}
		at, node := doc, doc
		for _, step := range strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
			key, value := lookup(node, step)
			if key == nil {
				break
			}
			at, node = key, value
		}
		return strictyaml.Position{Line: at.Line, Column: at.Column}
	}
	return strictyaml.Position{}
}

func isAbout(doc *yaml.Node, o *unstructured.Unstructured) bool {
	_, kind := lookup(doc, "kind")
	_, metadata := lookup(doc, "metadata")
	_, name := lookup(metadata, "name")
	return kind.Value == o.GetKind() && name.Value == o.GetName()
}

// lookup returns the key and the value of a step into a mapping, or an item of a sequence as both. If there is none, the
// key is nil and the value empty.
func lookup(n *yaml.Node, step string) (key, value *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i], n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i := index(step); i < len(n.Content) {
			return n.Content[i], n.Content[i]
		}
	}
	return nil, &yaml.Node{}
}

// index reads a path's index; what is no index is past every end.
func index(step string) int {
	i, err := strconv.ParseUint(step, 10, 31)
	if err != nil {
		return math.MaxInt
	}
	return int(i)
}

// reason strips a path error of the operation and the path, which the fault names already.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
