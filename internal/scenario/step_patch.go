package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/internal/kube"
)

// SystemNamespace is the controller's, the only namespace beside its own in which a scenario or a lab may change something.
const SystemNamespace = "ingresslab-system"

// noNamespace is written for the namespace of an object that has none.
const noNamespace = "-"

// patch changes an object. Like apply, it does not wait until the change is in force.
func (r *runner) patch(ctx context.Context, p Patch, report *StepReport) error {
	o, err := r.object(p.Object, p.Namespace)
	if err == nil {
		err = r.borrow(ctx, o)
	}
	if err != nil {
		report.Outcome = outcomeOf(err)
		return err
	}
	r.disturbed = r.disturbed || hasPods(o)
	kind, body, err := r.names.patch(p, o.GetKind()).body()
	if err != nil {
		report.Outcome = Broken
		return err
	}
	err = r.env.Kube.Patch(ctx, o, kind, body)
	report.Outcome = outcomeOf(err)
	return err
}

// object returns the object that KIND/NAME and a namespace name.
func (r *runner) object(text, namespace string) (*unstructured.Unstructured, error) {
	o, refErr := parseObject(text)
	if refErr != nil {
		return nil, refErr
	}
	if !isClusterWide(o) {
		o.SetNamespace(r.namespace(namespace))
	}
	return o, nil
}

// namespace returns where an object is whose step says so, or says nothing.
func (r *runner) namespace(given string) string {
	switch given {
	case "":
		return r.names.namespace
	case noNamespace:
		return ""
	}
	return given
}

// patch gives the run's names to a patch of an Ingress; other objects have none of them.
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

// value returns a copy of the value of a field, with the run's names.
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

// loan is an object outside of the run's namespace that the run changes.
type loan struct {
	object *unstructured.Unstructured
	// before is what it was; nil if it was not there.
	before *unstructured.Unstructured
}

// borrow remembers the state of an object outside of the run's namespace, so that giveBack can bring it back. It does
// nothing for the run's own objects, and nothing the second time.
func (r *runner) borrow(ctx context.Context, objects ...*unstructured.Unstructured) error {
	for _, o := range objects {
		if o.GetNamespace() == r.names.namespace || o.GetKind() == "IngressClass" || r.borrowed(o) {
			continue
		}
		before, err := r.env.Kube.Get(ctx, o)
		switch {
		case apierrors.IsNotFound(err):
			before = nil
		case err != nil:
			return err
		}
		r.loans = append(r.loans, loan{object: o, before: before})
	}
	return nil
}

func (r *runner) borrowed(o *unstructured.Unstructured) bool {
	for _, l := range r.loans {
		if isSame(l.object, o) && l.object.GetNamespace() == o.GetNamespace() {
			return true
		}
	}
	return false
}

// giveBack brings what was borrowed back to what it was, the last loan first.
func (r *runner) giveBack(ctx context.Context) error {
	var errs []error
	for n := len(r.loans) - 1; n >= 0; n-- {
		if err := r.restore(ctx, r.loans[n]); err != nil {
			errs = append(errs, fmt.Errorf("give back: %w", err))
		}
	}
	r.loans = nil
	return errors.Join(errs...)
}

// changed names what giveBack and uncordon would bring back.
func (r *runner) changed() []string {
	var names []string
	for _, l := range r.loans {
		names = append(names, kube.Describe(l.object))
	}
	for _, node := range r.cordoned {
		names = append(names, "node "+node)
	}
	return names
}

func (r *runner) restore(ctx context.Context, l loan) error {
	if l.before == nil {
		return r.env.Kube.Delete(ctx, l.object)
	}
	now, err := r.env.Kube.Get(ctx, l.object)
	if apierrors.IsNotFound(err) {
		return r.env.Kube.Apply(ctx, withoutState(l.before))
	}
	if err != nil {
		return err
	}
	patch, err := wayBack(now, l.before)
	if err != nil || patch == nil {
		return err
	}
	return r.env.Kube.Patch(ctx, l.object, types.MergePatchType, patch)
}

// wayBack returns the merge patch that makes an object what it was before; nil if it is that.
func wayBack(now, before *unstructured.Unstructured) ([]byte, error) {
	a, err := json.Marshal(withoutState(now))
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(withoutState(before))
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.CreateMergePatch(a, b)
	if err != nil || string(patch) == "{}" {
		return nil, err
	}
	return patch, nil
}

// withoutState returns a copy of what people and tools write of an object, without what the API server and controllers do.
func withoutState(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	delete(o.Object, "status")
	for _, field := range []string{
		"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid",
	} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	return o
}
