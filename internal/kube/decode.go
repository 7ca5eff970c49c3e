package kube

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	sigsyaml "sigs.k8s.io/yaml"
)

// Decode reads a manifest of one or more YAML documents. It skips documents without content, and replaces a List by its items. The
// error lists all errors of the file, one a line, as "file:line: message". Removed Kubernetes APIs are errors that specify the
// replacement.
func Decode(file string, data []byte) ([]*unstructured.Unstructured, error) {
	var objs []*unstructured.Unstructured
	var errs []error
	for _, doc := range splitDocuments(data) {
		got, err := doc.objects()
		if err != nil {
			errs = append(errs, doc.position(file, err))
			continue
		}
		objs = append(objs, got...)
	}
	return objs, errors.Join(errs...)
}

// document is a YAML document and its position in the file.
type document struct {
	line int // of its first line, counted from 1
	text []byte
}

// splitDocuments splits at "---" lines, as kubectl does. In a block scalar, "---" is indented.
func splitDocuments(data []byte) []document {
	docs := []document{{line: 1}}
	for i, line := range bytes.SplitAfter(data, []byte("\n")) {
		if isSeparator(line) {
			docs = append(docs, document{line: i + 2})
			continue
		}
		last := &docs[len(docs)-1]
		last.text = append(last.text, line...)
	}
	return docs
}

func isSeparator(line []byte) bool {
	rest, found := bytes.CutPrefix(line, []byte("---"))
	return found && len(bytes.TrimSpace(rest)) == 0 || bytes.HasPrefix(line, []byte("--- #"))
}

// lineError is an error in a line of its document, counted from 1.
type lineError struct {
	line int
	msg  string
}

func (e *lineError) Error() string { return e.msg }

func (d document) position(file string, err error) error {
	line := d.line
	var le *lineError
	if errors.As(err, &le) {
		line += le.line - 1
	}
	return fmt.Errorf("%s:%d: %w", file, line, err)
}

func (d document) objects() ([]*unstructured.Unstructured, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(d.text, &node); err != nil {
		return nil, syntaxError(err)
	}
	if len(node.Content) == 0 || node.Content[0].Tag == "!!null" {
		return nil, nil
	}
	root := node.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, &lineError{root.Line, "not a Kubernetes object: a mapping with apiVersion, kind and metadata is expected"}
	}
	if err := checkHead(root); err != nil {
		return nil, err
	}
	// sigs.k8s.io/yaml reads YAML as kubectl does (YAML 1.1, "yes" is true), and rejects duplicate keys.
	json, err := sigsyaml.YAMLToJSONStrict(d.text)
	if err != nil {
		return nil, syntaxError(err)
	}
	return d.unmarshal(root, json)
}

func (d document) unmarshal(root *yaml.Node, json []byte) ([]*unstructured.Unstructured, error) {
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(json); err != nil {
		return nil, &lineError{root.Line, err.Error()}
	}
	if !obj.IsList() {
		if obj.GetName() == "" {
			return nil, &lineError{root.Line, fmt.Sprintf("%s has no metadata.name", strings.ToLower(obj.GetKind()))}
		}
		return []*unstructured.Unstructured{obj}, nil
	}
	list, err := obj.ToList()
	if err != nil {
		return nil, &lineError{root.Line, err.Error()}
	}
	var objs []*unstructured.Unstructured
	for i := range list.Items {
		objs = append(objs, &list.Items[i])
	}
	return objs, nil
}

// checkHead checks apiVersion and kind, because the server's errors about them are less clear.
func checkHead(root *yaml.Node) error {
	apiVersion, kind := field(root, "apiVersion"), field(root, "kind")
	switch {
	case apiVersion == nil:
		return &lineError{root.Line, "apiVersion is missing"}
	case kind == nil:
		return &lineError{root.Line, "kind is missing"}
	}
	if use := replacement(apiVersion.Value, kind.Value); use != "" {
		return &lineError{apiVersion.Line, fmt.Sprintf("apiVersion: %s %s %s", apiVersion.Value, kind.Value, use)}
	}
	return nil
}

func field(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name && mapping.Content[i+1].Value != "" {
			return mapping.Content[i+1]
		}
	}
	return nil
}

var lineInMessage = regexp.MustCompile(`(?:yaml: |error converting YAML to JSON: |unmarshal errors:\s*)*line (\d+): (.*)`)

// syntaxError extracts the line number from the message of a YAML library.
func syntaxError(err error) error {
	if m := lineInMessage.FindStringSubmatch(err.Error()); m != nil {
		if line, convErr := strconv.Atoi(m[1]); convErr == nil {
			return &lineError{line, m[2]}
		}
	}
	return &lineError{1, err.Error()}
}

// removal is an API version that Kubernetes has removed.
type removal struct {
	apiVersion string
	kinds      []string // empty means all kinds
	since      string   // the Kubernetes release that removed it
	use        string
	hint       string // other changes to the manifest
}

// ingressHint lists the renamed fields of an old Ingress.
const ingressHint = "; spec.rules[].http.paths[] need pathType, and backend.serviceName/servicePort " +
	"are now backend.service.name and backend.service.port.number (or .name)"

// removals follows https://kubernetes.io/docs/reference/using-api/deprecation-guide/.
var removals = []removal{
	{"extensions/v1beta1", []string{"Ingress"}, "1.22", "networking.k8s.io/v1", ingressHint},
	{"networking.k8s.io/v1beta1", []string{"Ingress"}, "1.22", "networking.k8s.io/v1", ingressHint},
	{"networking.k8s.io/v1beta1", []string{"IngressClass"}, "1.22", "networking.k8s.io/v1", ""},
	{"extensions/v1beta1", []string{"NetworkPolicy"}, "1.16", "networking.k8s.io/v1", ""},
	{"extensions/v1beta1", []string{"Deployment", "DaemonSet", "ReplicaSet"}, "1.16", "apps/v1", "; spec.selector is now required"},
	{"apps/v1beta1", nil, "1.16", "apps/v1", "; spec.selector is now required"},
	{"apps/v1beta2", nil, "1.16", "apps/v1", ""},
	{"rbac.authorization.k8s.io/v1beta1", nil, "1.22", "rbac.authorization.k8s.io/v1", ""},
	{"apiextensions.k8s.io/v1beta1", nil, "1.22", "apiextensions.k8s.io/v1", "; every version needs a schema"},
	{"admissionregistration.k8s.io/v1beta1", []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"},
		"1.22", "admissionregistration.k8s.io/v1", ""},
	{"batch/v1beta1", []string{"CronJob"}, "1.25", "batch/v1", ""},
	{"policy/v1beta1", []string{"PodDisruptionBudget"}, "1.25", "policy/v1", ""},
	{"discovery.k8s.io/v1beta1", []string{"EndpointSlice"}, "1.25", "discovery.k8s.io/v1", ""},
	{"autoscaling/v2beta2", []string{"HorizontalPodAutoscaler"}, "1.26", "autoscaling/v2", ""},
}

// replacement returns the replacement for a removed API, or "".
func replacement(apiVersion, kind string) string {
	for _, r := range removals {
		if r.apiVersion == apiVersion && (r.kinds == nil || slices.Contains(r.kinds, kind)) {
			return "was removed in Kubernetes " + r.since + "; use " + r.use + r.hint
		}
	}
	return ""
}
