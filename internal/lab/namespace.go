package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

const (
	// goneTimeout bounds the wait for objects that are deleted to be made anew.
	goneTimeout = 30 * time.Second
	// gonePoll is how often to look for that.
	gonePoll = 50 * time.Millisecond
)

// plan is how a namespace gets to hold exactly what is wanted of a lab's objects. Whose an object is, its name and label
// decide: the names in the lab's manifests are the lab's, whoever made the object; an object of another name is the lab's
// if it has the lab's label, and the student's otherwise.
type plan struct {
	// apply is everything that is wanted.
	apply []*unstructured.Unstructured
	// recreate is what is wanted and there, but was written to by somebody else. Server-side apply would leave whatever
	// others have added.
	recreate []*unstructured.Unstructured
	// prune is what the lab has made and does not want any more.
	prune []*unstructured.Unstructured
	// foreign is what somebody else has made. It is left alone.
	foreign []*unstructured.Unstructured
}

// newPlan compares what is wanted with what is there. It is pure.
func newPlan(lab string, wanted, present []*unstructured.Unstructured) plan {
	p := plan{apply: wanted}
	for _, o := range present {
		isWanted, isOurs := find(wanted, keyOf(o)) != nil, o.GetLabels()[Label] == lab
		switch {
		case isWanted && (!isOurs || len(writers(o)) > 0):
			p.recreate = append(p.recreate, o)
		case isWanted:
		case isOurs:
			p.prune = append(p.prune, o)
		default:
			p.foreign = append(p.foreign, o)
		}
	}
	return p
}

// writers returns who else has written to an object's metadata or spec, by name
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management). Writing the status is the
// controllers' part.
func writers(o *unstructured.Unstructured) []string {
	var names []string
	for _, entry := range o.GetManagedFields() {
		others := entry.Subresource != "status" && entry.Manager != kube.FieldManager && entry.Manager != "kube-controller-manager"
		if others && !slices.Contains(names, entry.Manager) {
			names = append(names, entry.Manager)
		}
	}
	return names
}

// notes says what the plan does to things that a student may miss.
func (p plan) notes(namespace string) []string {
	var notes []string
	for _, o := range p.recreate {
		by := ""
		if names := writers(o); len(names) > 0 {
			by = " by " + strings.Join(names, " and ")
		}
		notes = append(notes, fmt.Sprintf("%s was made or changed%s: it is put back to what the lab says", kube.Describe(o), by))
	}
	if len(p.foreign) > 0 {
		var names []string
		for _, o := range p.foreign {
			names = append(names, keyOf(o).lower())
		}
		notes = append(notes, fmt.Sprintf("namespace %s also holds %s: not the lab's, left alone", namespace, strings.Join(names, ", ")))
	}
	return notes
}

func (k key) lower() string { return strings.ToLower(k.kind) + "/" + k.name }

// bring makes the namespace hold exactly the wanted objects of the lab, and returns the plan that it followed.
func bring(ctx context.Context, k scenario.Kube, l *Lab, wanted []*unstructured.Unstructured) (plan, error) {
	present, err := inventory(ctx, k.Clientset(), l.Namespace)
	if err != nil {
		return plan{}, err
	}
	p := newPlan(l.Name, l.own(wanted), present)
	if err := k.Delete(ctx, append(slices.Clone(p.prune), p.recreate...)...); err != nil {
		return p, err
	}
	if err := awaitGone(ctx, k, p.recreate); err != nil {
		return p, err
	}
	return p, k.Apply(ctx, p.apply...)
}

// own returns copies of the objects in the lab's namespace and with its label.
func (l *Lab) own(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var own []*unstructured.Unstructured
	for _, o := range objects {
		o = o.DeepCopy()
		labels := o.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[Label] = l.Name
		o.SetLabels(labels)
		o.SetNamespace(l.Namespace)
		own = append(own, o)
	}
	return own
}

// awaitGone waits until objects that were there are not, or are others of the same name.
func awaitGone(ctx context.Context, k scenario.Kube, objects []*unstructured.Unstructured) error {
	ctx, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	tick := time.NewTicker(gonePoll)
	defer tick.Stop()
	for _, o := range objects {
		for {
			now, err := k.Get(ctx, o)
			if apierrors.IsNotFound(err) || err == nil && now.GetUID() != o.GetUID() {
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("%s is being deleted and still there: %w", kube.Describe(o), ctx.Err())
			}
		}
	}
	return nil
}
