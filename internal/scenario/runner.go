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

// runner is the state of a run, or of a lab's check.
type runner struct {
	env       Env
	names     isolation
	manifests map[string]Manifest
	positions strictyaml.Positions
	// applied are the objects that were applied and not deleted, for wait: {ready: true}.
	applied []*unstructured.Unstructured
	// classes are the applied IngressClasses, which outlive the namespace.
	classes []*unstructured.Unstructured
	// sessions, authorities, and clients are by name. Later steps refer to them.
	sessions    map[string]*session
	authorities map[string]*pki.Authority
	clients     map[string]*tls.Certificate
	// rand selects at random, such as the pods of a fault; it depends on the seed.
	rand *rand.Rand
	// current is the current step, and limits are its limits. around are the names of its enclosing
	// steps and of the step itself.
	current   Step
	limits    StepLimits
	around    []string
	saved     []savedObject // saved objects and cordoned nodes are restored at the end
	cordoned  []string
	disturbed bool // disturbed is true after a step that changes existing pods
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

// object returns the object of KIND/NAME and a namespace.
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

// namespace returns the namespace that the value in a step means.
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

// SystemNamespace is the controller's namespace. It is the only namespace that a scenario or lab
// can change besides its own.
const SystemNamespace = "ingresslab-system"

// noNamespace is the namespace value of an object without one.
const noNamespace = "-"

// outcomeOf returns Failed for a request that the API server refuses, and Broken for an API that
// does not work.
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

// refused sets the outcome for an error from the API server; err can be nil.
func (s *StepReport) refused(err error) error {
	s.Outcome = outcomeOf(err)
	return err
}

func (s *StepReport) broken(err error) error {
	s.Outcome = Broken
	return err
}

// savedObject is an object outside the run's namespace, with the state to restore.
type savedObject struct {
	object *unstructured.Unstructured
	// before is the saved state. It is nil if the object did not exist.
	before *unstructured.Unstructured
}

// save records the state of objects outside the run's namespace for restoreAll. It skips the run's
// own objects, and objects that are already saved.
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
	patch, err := restoringPatch(now, l.before)
	if err != nil || patch == nil {
		return err
	}
	return r.env.Kube.Patch(ctx, l.object, types.MergePatchType, patch)
}

// restoringPatch returns the merge patch that changes now back to before. It is nil if they are
// equal.
func restoringPatch(now, before *unstructured.Unstructured) ([]byte, error) {
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

// withoutState returns a copy of an object without the fields that the API server and controllers
// set.
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
