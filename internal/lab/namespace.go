package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

const (
	// goneTimeout limits the wait until deleted objects no longer exist.
	goneTimeout = 30 * time.Second
	gonePoll    = 50 * time.Millisecond
)

// plan is the list of changes that bring a namespace to the wanted objects of a lab. An object
// belongs to the lab if its name is in the lab's manifests or if it has the lab's label. Other
// objects belong to the student.
type plan struct {
	apply []*unstructured.Unstructured // all wanted objects
	// recreate are the wanted objects that another client has changed. Server-side apply would keep
	// the client's fields.
	recreate []*unstructured.Unstructured
	prune    []*unstructured.Unstructured // the lab's other objects
	foreign  []*unstructured.Unstructured // the student's objects, which stay
	extra    []string                     // further notes for the student
}

// newPlan compares the wanted objects with the present ones. named are the objects in the lab's
// manifests.
func newPlan(lab string, wanted, named, present []*unstructured.Unstructured) plan {
	p := plan{apply: wanted}
	for _, o := range present {
		isWanted, isOurs := find(wanted, keyOf(o)) != nil, o.GetLabels()[Label] == lab
		switch {
		case isWanted && (!isOurs || touched(o)):
			p.recreate = append(p.recreate, o)
		case isWanted:
		case isOurs, find(named, keyOf(o)) != nil:
			p.prune = append(p.prune, o)
		default:
			p.foreign = append(p.foreign, o)
		}
	}
	return p
}

// touched reports whether an object can have fields that server-side apply would keep, from other
// clients or from the lab's own patches.
func touched(o *unstructured.Unstructured) bool {
	patched := func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == kube.FieldManager && entry.Subresource != "status" && entry.Operation == metav1.ManagedFieldsOperationUpdate
	}
	return len(writers(o)) > 0 || slices.ContainsFunc(o.GetManagedFields(), patched)
}

// writers returns the names of other clients that have changed an object's metadata or spec
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management).
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

// notes describes the changes to the student's work.
func (p plan) notes(namespace string) []string {
	notes := slices.Clone(p.extra)
	for _, o := range p.recreate {
		switch names := writers(o); {
		case len(names) > 0:
			notes = append(notes, fmt.Sprintf("restored %s, which %s changed", kube.Describe(o), strings.Join(names, " and ")))
		case o.GetLabels()[Label] == "":
			notes = append(notes, fmt.Sprintf("restored %s, which was changed", kube.Describe(o)))
		}
	}
	for _, o := range p.prune {
		if names := writers(o); len(names) > 0 {
			notes = append(notes, fmt.Sprintf("removed %s, which %s created or changed, because start/ does not have it", kube.Describe(o),
				strings.Join(names, " and ")))
		}
	}
	if len(p.foreign) > 0 {
		var names []string
		for _, o := range p.foreign {
			names = append(names, keyOf(o).lower())
		}
		notes = append(notes, fmt.Sprintf("namespace %s also has objects that do not belong to the lab: %s", namespace,
			strings.Join(names, ", ")))
	}
	return notes
}

func (k key) lower() string { return strings.ToLower(k.kind) + "/" + k.name }

// start runs the plan for start/. With all, it also removes the student's objects.
func (s *Session) start(ctx context.Context, all bool) (plan, error) {
	l, k := s.lab, s.env.Kube
	ended, err := s.endExclusive(ctx)
	if err != nil {
		return plan{}, err
	}
	if err := k.EnsureNamespace(ctx, l.Namespace, l.labels()); err != nil {
		return plan{}, err
	}
	present, err := inventory(ctx, k.Clientset(), l.Namespace)
	if err != nil {
		return plan{}, err
	}
	shared, err := findShared(ctx, k.Clientset(), l)
	if err != nil {
		return plan{}, err
	}
	wanted, config := withoutConfig(l.own(l.Start))
	p := newPlan(l.Name, wanted, l.Named(), append(present, shared.ours...))
	p.prune = append(p.prune, shared.colliding...)
	p.extra = slices.Concat(ended, shared.notes())
	if all {
		for _, o := range p.foreign {
			p.extra = append(p.extra, "removed your "+kube.Describe(o))
		}
		p.prune, p.foreign = append(p.prune, p.foreign...), nil
	}
	if err := k.Delete(ctx, append(slices.Clone(p.prune), p.recreate...)...); err != nil {
		return p, err
	}
	if err := awaitGone(ctx, k, append(slices.Clone(p.recreate), p.prune...)); err != nil {
		return p, err
	}
	if err := k.Apply(ctx, p.apply...); err != nil {
		return p, err
	}
	isLocked := false
	if config == nil {
		if isLocked, err = settingsLocked(ctx, k.Clientset(), l); err != nil {
			return p, err
		}
	}
	if !isLocked {
		note, err := configure(ctx, k.Clientset(), l, config)
		if note != "" {
			p.extra = append(p.extra, note)
		}
		if err != nil {
			return p, err
		}
	}
	return p, s.awaitReady(ctx, p.apply)
}

func (l *Lab) labels() map[string]string {
	labels := map[string]string{Label: l.Name}
	if l.Exclusive {
		labels[LabelExclusive] = "true"
	}
	for _, lock := range l.Locks {
		labels[scenario.LabelLock+lock] = "true"
	}
	return labels
}

// endExclusive removes the namespaces of exclusive labs that this lab does not tolerate. The notes
// list them.
func (s *Session) endExclusive(ctx context.Context) (notes []string, err error) {
	list, err := s.env.Kube.Clientset().CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: LabelExclusive + "=true"})
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	for _, ns := range list.Items {
		owner := ns.Labels[Label]
		if owner == s.lab.Name || s.lab.tolerates(ns.Labels) {
			continue
		}
		release, err := s.lockToRemove(owner)
		if err != nil {
			return notes, err
		}
		notes = append(notes, fmt.Sprintf("removed namespace %s of lab %s, because that lab affects all others; its workspace is kept",
			ns.Name, owner))
		err = s.env.Kube.DeleteNamespace(ctx, ns.Name, true)
		release()
		if err != nil {
			return notes, err
		}
	}
	return notes, nil
}

// tolerates reports whether the lab can run next to an exclusive lab whose namespace has these
// labels. The other lab must have locks. If this lab is exclusive, it must have none of these
// locks. Otherwise, it must tolerate all of them.
func (l *Lab) tolerates(labels map[string]string) bool {
	hasLocks := false
	for label := range labels {
		lock, isLock := strings.CutPrefix(label, scenario.LabelLock)
		if !isLock {
			continue
		}
		hasLocks = true
		if l.Exclusive && slices.Contains(l.Locks, lock) || !l.Exclusive && !slices.Contains(l.Tolerates, lock) {
			return false
		}
	}
	return hasLocks && (!l.Exclusive || len(l.Locks) > 0)
}

// awaitReady waits until the pods of the objects are ready. It does not wait for endpoints, because
// a lab can teach about missing ones.
func (s *Session) awaitReady(ctx context.Context, objects []*unstructured.Unstructured) error {
	running := slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool {
		return !slices.Contains([]string{"DaemonSet", "Deployment", "Pod", "StatefulSet"}, o.GetKind())
	})
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return s.env.Kube.WaitReady(ctx, running...)
}

// Remove deletes the lab's namespace and its shared objects.
func (s *Session) Remove(ctx context.Context) error {
	return errors.Join(s.removeShared(ctx), s.env.Kube.DeleteNamespace(ctx, s.lab.Namespace, true))
}

// Withdraw removes what can affect other labs: the Ingresses and the shared objects. Remove, which
// takes longer, removes the rest.
func (s *Session) Withdraw(ctx context.Context) error {
	ingresses, err := inventoryOf(ctx, s.env.Kube.Clientset(), s.lab.Namespace, "Ingress")
	if err != nil {
		return err
	}
	return errors.Join(s.env.Kube.Delete(ctx, ingresses...), s.removeShared(ctx))
}

// removeShared removes the lab's objects from the controller's namespace and waits until they no
// longer exist.
func (s *Session) removeShared(ctx context.Context) error {
	shared, err := findShared(ctx, s.env.Kube.Clientset(), s.lab)
	if err != nil {
		return err
	}
	if _, config := withoutConfig(s.lab.Named()); config != nil {
		if _, err := configure(ctx, s.env.Kube.Clientset(), s.lab, nil); err != nil {
			return err
		}
	}
	return scenario.Retire(ctx, s.env.Kube, shared.ours...)
}

// own returns copies of the objects for the lab: with its label, its namespace by default, and the
// annotation of kubectl apply.
func (l *Lab) own(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var own []*unstructured.Unstructured
	for _, manifest := range objects {
		o := manifest.DeepCopy()
		labels := o.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[Label] = l.Name
		o.SetLabels(labels)
		if o.GetNamespace() == "" {
			o.SetNamespace(l.Namespace)
		}
		withLastApplied(o, manifest)
		own = append(own, o)
	}
	return own
}

// awaitGone waits until the objects no longer exist, or exist with another UID.
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
				if err != nil && !errors.Is(err, ctx.Err()) {
					return fmt.Errorf("%s: %w", kube.Describe(o), err)
				}
				return fmt.Errorf("%s is still being deleted: %w", kube.Describe(o), ctx.Err())
			}
		}
	}
	return nil
}

// withLastApplied sets the annotation that kubectl apply uses
// (https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/). Without it,
// kubectl apply prints a warning and does not remove fields that the student deletes from a file.
// The annotation omits the lab's label, because kubectl apply would remove the label otherwise.
func withLastApplied(o, manifest *unstructured.Unstructured) {
	manifest = manifest.DeepCopy()
	manifest.SetNamespace(o.GetNamespace())
	if manifest.GetAnnotations() == nil {
		manifest.SetAnnotations(map[string]string{}) // kubectl includes annotations, even if there are none
	}
	text, err := manifest.MarshalJSON()
	if err != nil {
		return // cannot happen for a parsed manifest
	}
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[corev1.LastAppliedConfigAnnotation] = string(text)
	o.SetAnnotations(annotations)
}
