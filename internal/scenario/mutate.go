package scenario

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/kube"
)

// Mutation is what is wrong with a set of objects: the part of a mutant that changes what is applied.
type Mutation struct {
	// Patch are changes to objects. They come last, so that they may change the objects of Apply.
	Patch []Patch
	// Apply are objects that replace those of the same kind and name. Other objects are added at the end.
	Apply []*unstructured.Unstructured
	// Omit are objects that are left out, as KIND/NAME.
	Omit []string
}

// Mutate returns the objects with the mutation, in their order. The objects themselves stay as they are. An omission or a
// patch of an object that is not there is an error, as is a patch that cannot be made: a mutant that changes nothing proves
// nothing.
func Mutate(objects []*unstructured.Unstructured, m Mutation) ([]*unstructured.Unstructured, error) {
	var mutated []*unstructured.Unstructured
	for _, o := range objects {
		mutated = append(mutated, o.DeepCopy())
	}
	for i, target := range m.Omit {
		at, err := indexOf(mutated, target, "")
		if err != nil {
			return nil, fmt.Errorf("omit[%d]: %w", i, err)
		}
		mutated = slices.Delete(mutated, at, at+1)
	}
	for _, o := range m.Apply {
		at := slices.IndexFunc(mutated, func(other *unstructured.Unstructured) bool { return isSame(o, other) })
		if at < 0 {
			mutated = append(mutated, o.DeepCopy())
		} else {
			mutated[at] = o.DeepCopy()
		}
	}
	for i, p := range m.Patch {
		at, err := indexOf(mutated, p.Object, p.Namespace)
		if err == nil {
			mutated[at], err = p.applyTo(mutated[at])
		}
		if err != nil {
			return nil, fmt.Errorf("patch[%d]: %w", i, err)
		}
	}
	return mutated, nil
}

// indexOf finds the object that KIND/NAME and a namespace name; the namespace is empty for the run's own.
func indexOf(objects []*unstructured.Unstructured, target, namespace string) (int, error) {
	wanted, refErr := parseReference(target)
	if refErr != nil {
		return 0, refErr
	}
	at := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool {
		return isSame(o, wanted) && (namespace == "" || o.GetNamespace() == namespace)
	})
	if at < 0 {
		var there []string
		for _, o := range objects {
			there = append(there, kube.Describe(o))
		}
		return 0, fmt.Errorf("there is no %s among what is applied: %s", target, strings.Join(there, ", "))
	}
	return at, nil
}
