package scenario

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/pki"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// runner runs the steps of one scenario, or of a lab's check.
type runner struct {
	env       Env
	names     isolation
	manifests map[string]Manifest
	positions strictyaml.Positions
	// applied is what wait: {ready: true} is about: everything applied and not deleted since.
	applied []*unstructured.Unstructured
	// classes are the IngressClasses applied, which do not go away with the namespace.
	classes []*unstructured.Unstructured
	// sessions, authorities and clients are what later steps name: who keeps cookies, who signs, who has a certificate.
	sessions    map[string]*session
	authorities map[string]*pki.Authority
	clients     map[string]*tls.Certificate
	// rand draws what the run leaves to chance, such as which pod a fault meets: the same with the same seed.
	rand *rand.Rand
	// current is the present step, limits are its limits, and around are the names of the steps around it and its own.
	current Step
	limits  StepLimits
	around  []string
	// saved and cordoned are what gets its former state back at the end: objects of the controller's namespace, and nodes.
	saved    []savedObject
	cordoned []string
	// disturbed is set once a step has changed pods that were there.
	disturbed bool
}

func newRunner(env Env, names isolation) *runner {
	return &runner{
		env: env, names: names,
		sessions: map[string]*session{}, authorities: map[string]*pki.Authority{}, clients: map[string]*tls.Certificate{},
		rand: draws(cmp.Or(env.Seed, NewSeed()), names.namespace),
	}
}

func (r *runner) remember(objects []*unstructured.Unstructured) {
	r.forget(objects)
	for _, o := range objects {
		if o.GetKind() == "IngressClass" {
			r.classes = append(r.classes, o)
		} else {
			r.applied = append(r.applied, o)
		}
	}
}

func (r *runner) forget(objects []*unstructured.Unstructured) {
	gone := func(o *unstructured.Unstructured) bool {
		return slices.ContainsFunc(objects, func(other *unstructured.Unstructured) bool { return isSame(o, other) })
	}
	r.applied = slices.DeleteFunc(r.applied, gone)
	r.classes = slices.DeleteFunc(r.classes, gone)
}

func isSame(a, b *unstructured.Unstructured) bool {
	return a.GroupVersionKind().GroupKind() == b.GroupVersionKind().GroupKind() && a.GetName() == b.GetName()
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

func inNamespace(namespace string) string {
	if namespace == "" || namespace == noNamespace {
		return ""
	}
	return " in " + namespace
}

// SystemNamespace is the controller's, the only namespace beside its own in which a scenario or a lab may change something.
const SystemNamespace = "ingresslab-system"

// noNamespace is written for the namespace of an object that has none.
const noNamespace = "-"

// outcomeOf tells what the API server refuses, which is the manifest's fault, from an API that does not work.
func outcomeOf(err error) Outcome {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return Passed
	case meta.IsNoMatchError(err):
		return Failed
	case errors.As(err, &status):
		refusals := []int32{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity}
		if slices.Contains(refusals, status.Status().Code) {
			return Failed
		}
	}
	return Broken
}

// savedObject is an object outside the run's namespace, with the state to restore.
type savedObject struct {
	object *unstructured.Unstructured
	// before is what it was; nil if it did not exist.
	before *unstructured.Unstructured
}

// save records the state of objects outside the run's namespace, so that restoreAll can restore them. It skips the run's own objects,
// and those that it has saved.
func (r *runner) save(ctx context.Context, objects ...*unstructured.Unstructured) error {
	for _, o := range objects {
		if o.GetNamespace() == r.names.namespace || o.GetKind() == "IngressClass" || r.hasSaved(o) {
			continue
		}
		before, err := r.env.Kube.Get(ctx, o)
		switch {
		case apierrors.IsNotFound(err):
			before = nil
		case err != nil:
			return err
		}
		r.saved = append(r.saved, savedObject{object: o, before: before})
	}
	return nil
}

func (r *runner) hasSaved(o *unstructured.Unstructured) bool {
	for _, l := range r.saved {
		if isSame(l.object, o) && l.object.GetNamespace() == o.GetNamespace() {
			return true
		}
	}
	return false
}

// restoreAll restores the saved objects in reverse order.
func (r *runner) restoreAll(ctx context.Context) error {
	var errs []error
	for n := len(r.saved) - 1; n >= 0; n-- {
		if err := r.restore(ctx, r.saved[n]); err != nil {
			errs = append(errs, fmt.Errorf("restore: %w", err))
		}
	}
	r.saved = nil
	return errors.Join(errs...)
}

// changed names what restoreAll and uncordon would bring back.
func (r *runner) changed() []string {
	var names []string
	for _, l := range r.saved {
		names = append(names, kube.Describe(l.object))
	}
	for _, node := range r.cordoned {
		names = append(names, "node "+node)
	}
	return names
}

func (r *runner) restore(ctx context.Context, l savedObject) error {
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
		"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation",
		"managedFields", "resourceVersion", "selfLink", "uid",
	} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	return o
}
