package scenario

import (
	"context"
	"errors"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// apply brings the objects of the files into the cluster. A manifest that the API server refuses is a failure; an API
// server that does not answer is a broken lab.
func (r *runner) apply(ctx context.Context, files Strings, report *StepReport) error {
	var objects []*unstructured.Unstructured
	for _, file := range files {
		for _, o := range r.manifests[file].Objects {
			objects = append(objects, r.names.object(o))
		}
	}
	r.disturbed = r.disturbed || slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool {
		return hasPods(o) && slices.ContainsFunc(r.applied, func(other *unstructured.Unstructured) bool { return isSame(o, other) })
	})
	r.remember(objects)
	err := r.borrow(ctx, objects...)
	if err == nil {
		err = r.awaitServiceAccount(ctx, objects)
	}
	if err == nil {
		err = r.env.Kube.Apply(ctx, objects...)
	}
	report.Outcome = outcomeOf(err)
	return err
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

// awaitServiceAccount waits for the account that pods run under: a bare Pod that comes before it is refused, and the
// namespace may be milliseconds old (https://kubernetes.io/docs/concepts/security/service-accounts/#default-service-accounts).
// Deployments need no such care, their controller tries again.
func (r *runner) awaitServiceAccount(ctx context.Context, objects []*unstructured.Unstructured) error {
	if !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Pod" }) {
		return nil
	}
	accounts := r.env.Kube.Clientset().CoreV1().ServiceAccounts(r.names.namespace)
	c := converge(ctx, patience{within: waitWithin, streak: 1}, func(ctx context.Context) look {
		_, err := accounts.Get(ctx, "default", metav1.GetOptions{})
		return look{err: err}
	})
	return c.err
}

// remove deletes the objects of the files and the single objects, and waits until they are gone. What is not there is
// gone.
func (r *runner) remove(ctx context.Context, targets Strings, report *StepReport) error {
	objects, err := r.targets(targets)
	if err != nil {
		report.Outcome = Broken
		return err
	}
	r.forget(objects)
	r.disturbed = r.disturbed || slices.ContainsFunc(objects, hasPods)
	if err := r.borrow(ctx, objects...); err != nil {
		report.Outcome = outcomeOf(err)
		return err
	}
	if err := r.env.Kube.Delete(ctx, objects...); err != nil {
		report.Outcome = outcomeOf(err)
		return err
	}
	c := converge(ctx, patience{within: waitWithin, streak: 1}, func(ctx context.Context) look { return r.seeGone(ctx, objects) })
	return report.settle(c, TimedOut)
}

func (r *runner) targets(targets Strings) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, target := range targets {
		if isFile(target) {
			for _, o := range r.manifests[target].Objects {
				objects = append(objects, r.names.object(o))
			}
			continue
		}
		o, err := parseReference(target)
		if err != nil {
			return nil, err
		}
		o.SetNamespace(r.names.namespace)
		objects = append(objects, o)
	}
	return objects, nil
}

func (r *runner) seeGone(ctx context.Context, objects []*unstructured.Unstructured) look {
	var l look
	for _, o := range objects {
		got, err := r.env.Kube.Get(ctx, o)
		switch {
		case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		case err != nil:
			l.err = err
		default:
			l.mismatches = append(l.mismatches, probe.Mismatch{Field: kube.Describe(o), Expected: "gone", Observed: stillThere(got)})
		}
	}
	return l
}

func stillThere(o *unstructured.Unstructured) string {
	switch {
	case o.GetDeletionTimestamp() == nil:
		return "still there"
	case len(o.GetFinalizers()) > 0:
		return "being deleted, held by finalizer " + o.GetFinalizers()[0]
	}
	return "being deleted"
}

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

// settle writes into the report what waiting came to; otherwise is the outcome if it was in vain.
func (s *StepReport) settle(c convergence, otherwise Outcome) error {
	s.Tries, s.Answer = c.tries, answerOf(c.last.observed)
	if c.held {
		s.Outcome = Passed
		return nil
	}
	s.Outcome = otherwise
	s.Mismatches, s.Note = c.explain()
	if len(s.Mismatches) == 0 {
		s.Note = ""
		return c.err
	}
	s.Answer = answerOf(c.mismatch.observed)
	return nil
}
