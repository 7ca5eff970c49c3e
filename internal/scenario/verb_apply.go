package scenario

import (
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Apply creates or changes the objects of manifest files.
type Apply Strings

func (a Apply) validate(c *checker, path string) { c.targets(path, a, false) }

func (a Apply) traits() traits { return traits{inSolution: true, targets: a} }

func (a Apply) describe(isolation) string { return "apply " + strings.Join(a, ", ") }

// run applies the objects of the files. A manifest that the API server refuses is a failure; an API
// server that does not answer is a broken lab.
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
	report.Outcome = outcomeOf(err)
	return err
}

// replay remembers the objects that an earlier run has applied.
func (a Apply) replay(r *runner) { r.remember(r.objectsOf(a)) }

// objectsOf returns the objects of manifest files, with the run's names.
func (r *runner) objectsOf(files []string) []*unstructured.Unstructured {
	var objects []*unstructured.Unstructured
	for _, file := range files {
		for _, o := range r.manifests[file].Objects {
			objects = append(objects, r.names.object(o))
		}
	}
	return objects
}

// awaitServiceAccount waits for the account that pods run under: a bare Pod that comes before it is refused, and the
// namespace may be milliseconds old (https://kubernetes.io/docs/concepts/security/service-accounts/#default-service-accounts).
// Deployments need no such care, their controller tries again.
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
