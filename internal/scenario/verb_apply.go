package scenario

import (
	"context"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// Apply creates or changes the objects of manifest files.
type Apply Strings

func (a Apply) validate(c *checker, path string) { c.targets(path, a, false) }

func (a Apply) traits() traits { return traits{inSolution: true, targets: a} }

func (a Apply) describe(isolation) string { return "apply " + strings.Join(a, ", ") }

// run applies the objects of the files. A refused manifest is a failure. An API server that does
// not respond is a broken lab.
func (a Apply) run(ctx context.Context, r *runner, report *StepReport) error {
	objects := r.objectsOf(a)
	r.disturbed = r.disturbed || slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool {
		return hasPods(o) && slices.ContainsFunc(r.applied, func(other *unstructured.Unstructured) bool { return isSame(o, other) })
	})
	r.remember(objects)
	err := r.save(ctx, objects...)
	if err == nil {
		err = r.awaitServiceAccount(ctx, objects)
	}
	if err == nil {
		err = r.env.Kube.Apply(ctx, objects...)
	}
	return report.refused(err)
}

// replay records the objects that the earlier run has applied.
func (a Apply) replay(r *runner) { r.remember(r.objectsOf(a)) }

// objectsOf returns the objects of manifest files for this run.
func (r *runner) objectsOf(files []string) []*unstructured.Unstructured {
	var objects []*unstructured.Unstructured
	for _, file := range files {
		for _, o := range r.manifests[file].Objects {
			objects = append(objects, r.names.object(o))
		}
	}
	return objects
}

// awaitServiceAccount waits for the service account of bare Pods. The API server refuses such Pods
// until it exists
// (https://kubernetes.io/docs/concepts/security/service-accounts/#default-service-accounts). Other
// pods need no wait, because controllers such as the Deployment controller retry.
func (r *runner) awaitServiceAccount(ctx context.Context, objects []*unstructured.Unstructured) error {
	if !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Pod" }) {
		return nil
	}
	accounts := r.env.Kube.Clientset().CoreV1().ServiceAccounts(r.names.namespace)
	c := converge(ctx, polling{within: waitWithin, streak: 1}, func(ctx context.Context) pollResult {
		_, err := accounts.Get(ctx, "default", metav1.GetOptions{})
		return pollResult{err: err}
	})
	return c.err
}

// Delete deletes objects of manifest files, or single objects.
type Delete Strings

func (t Delete) validate(c *checker, path string) { c.targets(path, t, true) }

func (t Delete) traits() traits { return traits{inSolution: true, targets: t} }

func (t Delete) describe(isolation) string { return "delete " + strings.Join(t, ", ") }

// run deletes the objects, and waits until they no longer exist.
func (t Delete) run(ctx context.Context, r *runner, report *StepReport) error {
	objects, err := t.objects(r)
	if err != nil {
		return report.broken(err)
	}
	r.forget(objects)
	r.disturbed = r.disturbed || slices.ContainsFunc(objects, hasPods)
	if err := r.save(ctx, objects...); err != nil {
		return report.refused(err)
	}
	if err := r.env.Kube.Delete(ctx, objects...); err != nil {
		return report.refused(err)
	}
	c := converge(ctx, polling{within: waitWithin, streak: 1}, func(ctx context.Context) pollResult { return r.seeGone(ctx, objects) })
	return report.settle(c, TimedOut)
}

// replay forgets the objects that the earlier run has deleted. Load has already refused invalid
// targets.
func (t Delete) replay(r *runner) {
	if objects, err := t.objects(r); err == nil {
		r.forget(objects)
	}
}

func (t Delete) objects(r *runner) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, target := range t {
		if isFile(target) {
			objects = append(objects, r.objectsOf([]string{target})...)
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

func (r *runner) seeGone(ctx context.Context, objects []*unstructured.Unstructured) pollResult {
	var l pollResult
	for _, o := range objects {
		got, err := r.env.Kube.Get(ctx, o)
		switch {
		case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		case err != nil:
			l.err = err
		default:
			l.mismatches = append(l.mismatches, probe.Mismatch{Field: kube.Describe(o), Expected: "not to exist", Observed: stillThere(got)})
		}
	}
	return l
}

func stillThere(o *unstructured.Unstructured) string {
	switch {
	case o.GetDeletionTimestamp() == nil:
		return "exists"
	case len(o.GetFinalizers()) > 0:
		return "being deleted, held by finalizer " + o.GetFinalizers()[0]
	}
	return "being deleted"
}
