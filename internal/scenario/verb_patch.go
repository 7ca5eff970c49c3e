package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Patch changes one object, as kubectl patch does
// (https://kubernetes.io/docs/reference/kubectl/generated/kubectl_patch/). Exactly one of merge and
// json is given. An object outside the run's namespace is restored when the scenario ends.
type Patch struct {
	// The object, as KIND/NAME.
	Object string `yaml:"object" jsonschema:"required"`
	// The namespace of the object: ingresslab-system, or the run's own if not given.
	Namespace string `yaml:"namespace,omitempty"`
	// A JSON merge patch (RFC 7386): null removes a field, a list replaces the whole list.
	Merge map[string]any `yaml:"merge,omitempty"`
	// The operations of a JSON patch (RFC 6902).
	JSON []map[string]any `yaml:"json,omitempty"`
}

func (p Patch) validate(c *checker, path string) {
	c.object(path+".object", p.Object)
	c.inNamespace(path+".namespace", p.Namespace)
	c.exactlyOne(path, choice{"merge", p.Merge != nil}, choice{"json", p.JSON != nil})
	if p.Merge != nil && len(p.Merge) == 0 || p.JSON != nil && len(p.JSON) == 0 {
		c.fault(path, "changes nothing")
	}
	known := []string{"add", "remove", "replace", "move", "copy", "test"}
	for i, operation := range p.JSON {
		at := fmt.Sprintf("%s.json[%d]", path, i)
		op, _ := operation["op"].(string)
		if !slices.Contains(known, op) {
			c.add(at, strictyaml.Nearest(op, known), "op %q is not an operation of JSON patch (RFC 6902): %s", op, strings.Join(known, ", "))
		}
		if pointer, isText := operation["path"].(string); !isText || pointer != "" && !strings.HasPrefix(pointer, "/") {
			c.fault(at, "path is not a JSON pointer such as /spec/replicas")
		}
		if _, has := operation["value"]; !has && slices.Contains([]string{"add", "replace", "test"}, op) {
			c.fault(at, "value is missing for %s", op)
		}
	}
}

func (p Patch) traits() traits {
	return traits{inSolution: true, shared: sharedNamespace("namespace", p.Namespace)}
}

// maxPatchText limits the length of the patch in a description.
const maxPatchText = 120

func (p Patch) describe(names isolation) string {
	kind, _, _ := strings.Cut(p.Object, "/")
	if strings.EqualFold(kind, "ingress") {
		p = names.patch(p, "Ingress")
	}
	text := ""
	if _, body, err := p.body(); err == nil {
		text = string(body)
	}
	if runes := []rune(text); len(runes) > maxPatchText {
		text = string(runes[:maxPatchText]) + "…"
	}
	return "patch " + p.Object + inNamespace(p.Namespace) + " with " + text
}

// run patches the object. It does not wait until the change is in effect.
func (p Patch) run(ctx context.Context, r *runner, report *StepReport) error {
	o, err := r.object(p.Object, p.Namespace)
	if err == nil {
		err = r.save(ctx, o)
	}
	if err != nil {
		return report.refused(err)
	}
	r.disturbed = r.disturbed || hasPods(o)
	kind, body, err := r.names.patch(p, o.GetKind()).body()
	if err != nil {
		return report.broken(err)
	}
	err = r.env.Kube.Patch(ctx, o, kind, body)
	return report.refused(err)
}

// body returns the type and the JSON of the patch.
func (p Patch) body() (types.PatchType, []byte, error) {
	if p.JSON != nil {
		data, err := json.Marshal(p.JSON)
		return types.JSONPatchType, data, err
	}
	data, err := json.Marshal(p.Merge)
	return types.MergePatchType, data, err
}

// applyTo returns a patched copy of the object.
func (p Patch) applyTo(o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	kind, patch, err := p.body()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Object, err)
	}
	before, err := o.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Object, err)
	}
	after, err := applyPatch(kind, before, patch)
	if err != nil {
		return nil, fmt.Errorf("%s: the patch fails: %w", p.Object, err)
	}
	patched := &unstructured.Unstructured{}
	if err := patched.UnmarshalJSON(after); err != nil {
		return nil, fmt.Errorf("%s: the patched object is invalid: %w", p.Object, err)
	}
	return patched, nil
}

// applyPatch applies a JSON patch (RFC 6902) or a JSON merge patch (RFC 7386).
func applyPatch(kind types.PatchType, object, patch []byte) ([]byte, error) {
	if kind == types.MergePatchType {
		return jsonpatch.MergePatch(object, patch)
	}
	operations, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil, err
	}
	return operations.Apply(object)
}

// patch renames hosts, classes, and namespaces in a patch of an Ingress.
func (i isolation) patch(p Patch, kind string) Patch {
	if kind != "Ingress" {
		return p
	}
	if p.Merge != nil {
		p.Merge, _ = i.value("", p.Merge).(map[string]any)
	}
	var operations []map[string]any
	for _, operation := range p.JSON {
		path, _ := operation["path"].(string)
		given := map[string]any{}
		for name, value := range operation {
			if name == "value" {
				value = i.value(path[strings.LastIndex(path, "/")+1:], value)
			}
			given[name] = value
		}
		operations = append(operations, given)
	}
	p.JSON = operations
	return p
}

// value returns a copy of a field's value for this run.
func (i isolation) value(field string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		fields := map[string]any{}
		for name, inner := range v {
			fields[name] = i.value(name, inner)
		}
		return fields
	case []any:
		items := make([]any, len(v))
		for n, item := range v {
			items[n] = i.value("", item)
		}
		return items
	case string:
		if field == "ingressClassName" && i.classes[v] != "" {
			return i.classes[v]
		}
		return strings.ReplaceAll(i.text(v), placeholder, i.namespace)
	}
	return value
}

// Scale sets the number of pods of a Deployment.
type Scale struct {
	// Name of the Deployment.
	Deployment string `yaml:"deployment" jsonschema:"required"`
	// The number of pods.
	Replicas *int32 `yaml:"replicas" jsonschema:"required,minimum=0"`
}

func (s Scale) validate(c *checker, path string) {
	if s.Deployment == "" {
		c.fault(path+".deployment", "is missing")
	}
	if s.Replicas == nil {
		c.fault(path+".replicas", "is missing")
	} else if *s.Replicas < 0 {
		c.fault(path+".replicas", "%d is less than zero", *s.Replicas)
	}
}

func (s Scale) traits() traits { return traits{inSolution: true} }

func (s Scale) describe(isolation) string {
	return fmt.Sprintf("scale deployment %s to %d", s.Deployment, *s.Replicas)
}

// run sets the number of pods. It does not wait for them.
func (s Scale) run(ctx context.Context, r *runner, report *StepReport) error {
	r.disturbed = true
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, *s.Replicas)
	_, err := r.env.Kube.Clientset().AppsV1().Deployments(r.names.namespace).
		Patch(ctx, s.Deployment, types.MergePatchType, patch, metav1.PatchOptions{})
	return report.refused(err)
}
