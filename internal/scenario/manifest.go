package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Manifest is a file with objects.
type Manifest struct {
	File    string                       // File is the file's name in diagnostics
	Objects []*unstructured.Unstructured // Objects are the objects in the order of the file
	lines   locator
}

// ReadManifest decodes a manifest. It reports all errors that need no server: syntax, removed APIs,
// and unknown fields.
func ReadManifest(file string, data []byte) (Manifest, strictyaml.Diagnostics) {
	objects, err := kube.Decode(file, data)
	m := Manifest{File: file, Objects: objects, lines: locate(data)}
	faults := decodeFaults(file, err)
	for _, o := range objects {
		faults = append(faults, m.unknownFields(o)...)
	}
	return m, faults
}

// Fault returns a diagnostic at the field at path of an object.
func (m Manifest) Fault(o *unstructured.Unstructured, path, format string, args ...any) strictyaml.Diagnostic {
	return strictyaml.Diagnostic{
		File: m.File, Position: m.lines.of(o, path), Path: path, Message: kube.Describe(o) + " " + fmt.Sprintf(format, args...),
	}
}

var positioned = regexp.MustCompile(`(?s)^(.*?):(\d+): (.*)$`)

// decodeFaults splits kube.Decode's error, which has a line "file:line: message" for each error.
func decodeFaults(file string, err error) strictyaml.Diagnostics {
	if err == nil {
		return nil
	}
	var faults strictyaml.Diagnostics
	for _, one := range unjoin(err) {
		f := strictyaml.Diagnostic{File: file, Message: one.Error()}
		if m := positioned.FindStringSubmatch(one.Error()); m != nil {
			line, convErr := strconv.Atoi(m[2])
			if convErr == nil {
				f.Line, f.Message = line, m[3]
			}
		}
		faults = append(faults, f)
	}
	return faults
}

func unjoin(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

var strictCodecs = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)

var quotedPath = regexp.MustCompile(`^unknown field "(.*)"$`)

// unknownFields decodes an object of a built-in kind as the API server does with
// fieldValidation=Strict
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation).
func (m Manifest) unknownFields(o *unstructured.Unstructured) strictyaml.Diagnostics {
	data, err := o.MarshalJSON()
	if err != nil {
		return strictyaml.Diagnostics{m.Fault(o, "", "cannot be read: %v", err)}
	}
	_, _, err = strictCodecs.UniversalDeserializer().Decode(data, nil, nil)
	if err == nil || runtime.IsNotRegisteredError(err) {
		return nil
	}
	strict, ok := runtime.AsStrictDecodingError(err)
	if !ok {
		return strictyaml.Diagnostics{m.Fault(o, "", "cannot be read: %v", err)}
	}
	var faults strictyaml.Diagnostics
	for _, one := range strict.Errors() {
		if match := quotedPath.FindStringSubmatch(one.Error()); match != nil {
			faults = append(faults, m.Fault(o, match[1], "has no such field"))
		} else {
			faults = append(faults, m.Fault(o, "", "is invalid: %v", one))
		}
	}
	return faults
}

// validateManifests returns all errors of the steps' manifest files. The error of an unreadable
// file is at the position of its step.
func validateManifests(s *Scenario, read reading) strictyaml.Diagnostics {
	c := &checker{file: s.file, positions: s.positions}
	eachStep("steps", s.Steps, func(path string, step Step) {
		for _, v := range step.verbs() {
			for j, name := range v.traits().targets {
				c.manifestFile(fmt.Sprintf("%s.%s[%d]", path, v.key, j), name, read.errs[name])
			}
		}
	})
	for _, name := range slices.Sorted(maps.Keys(read.manifests)) {
		c.faults = append(c.faults, read.faults[name]...)
		for _, o := range read.manifests[name].Objects {
			c.faults = append(c.faults, sharedObject(read.manifests[name], o, s.changesMore())...)
		}
	}
	c.pods(s, read)
	return c.faults
}

func (c *checker) manifestFile(path, name string, err error) {
	if err != nil {
		c.fault(path, "manifest %s: %v", name, reason(err))
	}
}

// sharedObject reports an object that parallel runs of a scenario would share. If changesMore is
// true, the scenario can apply objects in the controller's namespace.
func sharedObject(m Manifest, o *unstructured.Unstructured, changesMore bool) strictyaml.Diagnostics {
	var faults strictyaml.Diagnostics
	switch {
	case o.GetNamespace() == SystemNamespace && !changesMore:
		faults = append(faults, m.Fault(o, "metadata.namespace",
			"is in %s, which is shared; add a name to locks, or set exclusive: true if the change affects every host",
			SystemNamespace))
	case o.GetNamespace() != "" && o.GetNamespace() != SystemNamespace:
		faults = append(faults, m.Fault(o, "metadata.namespace", "specifies a namespace; leave it out, because each run has its own"))
	}
	if slices.Contains(clusterWide, o.GetKind()) {
		faults = append(faults, m.Fault(o, "kind", "has no namespace; a scenario can apply only objects that have one, and IngressClasses"))
	}
	for path, host := range ingressHosts(o) {
		if !strings.HasSuffix(host, testDomain) {
			faults = append(faults, m.Fault(o, path, "has host %q, which two runs would share; use a host under %s", host, testDomain))
		}
	}
	return faults
}

// clusterWide are kinds without a namespace that a scenario cannot apply. It can apply
// IngressClasses, because each run renames them.
var clusterWide = []string{
	"APIService", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "MutatingWebhookConfiguration", "Namespace", "Node",
	"PersistentVolume", "PriorityClass", "RuntimeClass", "StorageClass", "ValidatingWebhookConfiguration",
}

// ingressHosts returns the hosts of an Ingress's rules and TLS entries by path. It returns none for
// an object of a different kind.
func ingressHosts(o *unstructured.Unstructured) map[string]string {
	var ingress networkingv1.Ingress
	if o.GetKind() != "Ingress" || runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &ingress) != nil {
		return nil
	}
	hosts := map[string]string{}
	for i, rule := range ingress.Spec.Rules {
		if rule.Host != "" {
			hosts[fmt.Sprintf("spec.rules[%d].host", i)] = rule.Host
		}
	}
	for i, tls := range ingress.Spec.TLS {
		for j, host := range tls.Hosts {
			hosts[fmt.Sprintf("spec.tls[%d].hosts[%d]", i, j)] = host
		}
	}
	return hosts
}

// locator finds the lines of objects and fields. Kubernetes' decoders return only the path of an
// invalid field.
type locator []*yaml.Node

// locate parses the documents of a manifest up to the first syntax error.
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

// of returns the position of the field at path, or of its deepest parent that exists. It returns
// zero for an unknown object, such as an item of a List.
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

// lookup returns the key and the value of a field. For an item of a sequence, both are the item. If
// there is no such field or item, the key is nil and the value empty.
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

// index parses an index of a path. It returns MaxInt if the step is not an index.
func index(step string) int {
	i, err := strconv.ParseUint(step, 10, 31)
	if err != nil {
		return math.MaxInt
	}
	return int(i)
}

// reason removes the operation and the path from a path error, because the diagnostic has them.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
