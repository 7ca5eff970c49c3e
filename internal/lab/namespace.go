package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	// prune is what the lab's names are or the lab has made, and what is not wanted now.
	prune []*unstructured.Unstructured
	// foreign is what somebody else has made. It is left alone.
	foreign []*unstructured.Unstructured
	// said is what else there is to say.
	said []string
}

// newPlan compares what is wanted with what is there; named are the names that belong to the lab. It is pure.
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

// touched tells whether something may be in an object that applying a manifest would not take away: fields of others, and those
// that the lab itself has written in another way, as a patch does.
func touched(o *unstructured.Unstructured) bool {
	patched := func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == kube.FieldManager && entry.Subresource != "status" && entry.Operation == metav1.ManagedFieldsOperationUpdate
	}
	return len(writers(o)) > 0 || slices.ContainsFunc(o.GetManagedFields(), patched)
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
	notes := slices.Clone(p.said)
	for _, o := range p.recreate {
		switch names := writers(o); {
		case len(names) > 0:
			notes = append(notes, fmt.Sprintf("%s was made or changed by %s: it is put back to what the lab says", kube.Describe(o), strings.Join(names, " and ")))
		case o.GetLabels()[Label] == "":
			notes = append(notes, fmt.Sprintf("%s was made or changed: it is put back to what the lab says", kube.Describe(o)))
		}
	}
	for _, o := range p.prune {
		if names := writers(o); len(names) > 0 {
			notes = append(notes, fmt.Sprintf("%s was made or changed by %s: it is removed, for it is not there at the start", kube.Describe(o), strings.Join(names, " and ")))
		}
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

// start carries out the plan for start/. With all, what is not the lab's goes, too.
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
	lent, err := lentTo(ctx, k.Clientset(), l)
	if err != nil {
		return plan{}, err
	}
	wanted, config := withoutConfig(l.own(l.Start))
	p := newPlan(l.Name, wanted, l.Named(), append(present, lent.ours...))
	p.prune = append(p.prune, lent.colliding...)
	p.said = slices.Concat(ended, lent.notes())
	if all {
		p.removeForeign()
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
	isClaimed := false
	if config == nil {
		if isClaimed, err = settingsClaimed(ctx, k.Clientset(), l); err != nil {
			return p, err
		}
	}
	if !isClaimed {
		note, err := configure(ctx, k.Clientset(), l, config)
		if note != "" {
			p.said = append(p.said, note)
		}
		if err != nil {
			return p, err
		}
	}
	return p, s.awaitReady(ctx, p.apply)
}

// labels are those of the lab's namespace.
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

// endExclusive removes the namespaces of other labs that would change what this one meets, such as a default back-end for every
// request. The notes say which.
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
		notes = append(notes, fmt.Sprintf("lab %s changes what every other lab meets: its namespace %s is removed (the files in its workspace stay)", owner, ns.Name))
		err = s.env.Kube.DeleteNamespace(ctx, ns.Name, true)
		release()
		if err != nil {
			return notes, err
		}
	}
	return notes, nil
}

// tolerates tells whether the lab can stand beside an exclusive one, whose namespace has these labels: that one says its locks, and they are
// not this one's if it is exclusive, too, or among those that it tolerates.
func (l *Lab) tolerates(labels map[string]string) bool {
	saysWhat := false
	for label := range labels {
		lock, isClaim := strings.CutPrefix(label, scenario.LabelLock)
		if !isClaim {
			continue
		}
		saysWhat = true
		if l.Exclusive && slices.Contains(l.Locks, lock) || !l.Exclusive && !slices.Contains(l.Tolerates, lock) {
			return false
		}
	}
	return saysWhat && (!l.Exclusive || len(l.Locks) > 0)
}

// removeForeign makes the plan remove what is not the lab's.
func (p *plan) removeForeign() {
	for _, o := range p.foreign {
		p.said = append(p.said, kube.Describe(o)+" was yours: it is removed, too")
	}
	p.prune, p.foreign = append(p.prune, p.foreign...), nil
}

// awaitReady waits until the pods of the objects run. It does not wait for endpoints: whether a Service has any may be what the
// lab is about.
func (s *Session) awaitReady(ctx context.Context, objects []*unstructured.Unstructured) error {
	running := slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool {
		return !slices.Contains([]string{"DaemonSet", "Deployment", "Pod", "StatefulSet"}, o.GetKind())
	})
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return s.env.Kube.WaitReady(ctx, running...)
}

// Remove deletes the lab's namespace and gives back what the lab has borrowed.
func (s *Session) Remove(ctx context.Context) error {
	return errors.Join(s.giveBack(ctx), s.env.Kube.DeleteNamespace(ctx, s.lab.Namespace, true))
}

// Withdraw removes what others can meet of the lab: its Ingresses, and what it has outside of its namespace. The rest is left for Remove,
// which takes longer, as pods do.
func (s *Session) Withdraw(ctx context.Context) error {
	ingresses, err := inventoryOf(ctx, s.env.Kube.Clientset(), s.lab.Namespace, "Ingress")
	if err != nil {
		return err
	}
	return errors.Join(s.env.Kube.Delete(ctx, ingresses...), s.giveBack(ctx))
}

// giveBack removes what the lab has in the controller's namespace, and waits until it is gone.
func (s *Session) giveBack(ctx context.Context) error {
	lent, err := lentTo(ctx, s.env.Kube.Clientset(), s.lab)
	if err != nil {
		return err
	}
	if _, config := withoutConfig(s.lab.Named()); config != nil {
		if _, err := configure(ctx, s.env.Kube.Clientset(), s.lab, nil); err != nil {
			return err
		}
	}
	return scenario.Retire(ctx, s.env.Kube, lent.ours...)
}

// own returns copies of the objects with the lab's label, in its namespace unless they name another one, and ready for kubectl apply.
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
				if err != nil && !errors.Is(err, ctx.Err()) {
					return fmt.Errorf("%s: %w", kube.Describe(o), err)
				}
				return fmt.Errorf("%s is being deleted and still there: %w", kube.Describe(o), ctx.Err())
			}
		}
	}
	return nil
}
