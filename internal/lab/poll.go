package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Look looks once at every task, and waits for nothing. The error says that the cluster could not be asked; what of the lab is
// gone is in the State. If that is the namespace or the controller, the tasks are not looked at: they would all fail for it.
//
// A tutor looks twice a second. What many requests came to is told again, for a few seconds at most, while nothing has changed
// that decides about their answers.
func (s *Session) Poll(ctx context.Context) (State, error) {
	state := State{Tasks: make([]TaskState, len(s.lab.Tasks))}
	for i, t := range s.lab.Tasks {
		state.Tasks[i] = TaskState{ID: t.ID, Title: t.Title, Steps: []scenario.StepReport{}}
	}
	lost, err := s.lost(ctx)
	if err != nil {
		return State{}, err
	}
	state.Missing = lost
	if slices.ContainsFunc(lost, func(l Missing) bool { return l.What != MissingStart }) {
		return state, nil
	}
	begin, stamp := time.Now(), ""
	if slices.ContainsFunc(s.lab.Tasks, Task.sendsTraffic) {
		stamp = s.stamp(ctx)
		s.memory.note(stamp, begin)
	}
	var all sync.WaitGroup
	for i, t := range s.lab.Tasks {
		all.Go(func() {
			steps, known := s.memory.recall(t.ID, begin)
			if !known {
				steps = scenario.CheckOnce(ctx, s.env.Env, s.lab.Namespace, t.Check)
			}
			if !known && t.sendsTraffic() && stamp != "" && ctx.Err() == nil {
				s.memory.keep(t.ID, stamp, begin, steps)
			}
			state.Tasks[i].Steps, state.Tasks[i].Done = steps, steps[len(steps)-1].Outcome == scenario.Passed
		})
	}
	all.Wait()
	return state, ctx.Err()
}

// What can be lost.
const (
	MissingNamespace  = "namespace"
	MissingController = "controller"
	MissingStart      = "start"
)

// lost says what of the lab is gone. The error says that the API server does not answer, or does not let us ask.
func (s *Session) lost(ctx context.Context) ([]Missing, error) {
	var losses [3][]Missing
	var errs [3]error
	var all sync.WaitGroup
	for i, find := range []func(context.Context) ([]Missing, error){s.lostNamespace, s.lostController, s.lostStart} {
		all.Go(func() { losses[i], errs[i] = find(ctx) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, &UnreachableError{err}
		}
	}
	if len(losses[0]) > 0 {
		losses[2] = nil // they went with it
	}
	return slices.Concat(losses[:]...), nil
}

// UnreachableError says that the cluster could not be asked: nothing is known about the lab.
type UnreachableError struct{ Cause error }

// Error names the cause, which is client-go's and names address and request.
func (e *UnreachableError) Error() string {
	return "the API server cannot be asked: " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Cause }

func (s *Session) lostNamespace(ctx context.Context) ([]Missing, error) {
	name := s.lab.Namespace
	loss := Missing{What: MissingNamespace, Fix: "start/ is put into it again, and your own files stay as they are: apply them once more"}
	ns, err := s.env.Kube.Clientset().CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		loss.Text = fmt.Sprintf("the namespace %s is gone, with everything in it", name)
	case err != nil:
		return nil, err
	case ns.Status.Phase == corev1.NamespaceTerminating || ns.DeletionTimestamp != nil:
		loss.Text = fmt.Sprintf("the namespace %s is being deleted, with everything in it", name)
	default:
		return nil, nil
	}
	return []Missing{loss}, nil
}

func (s *Session) lostController(ctx context.Context) ([]Missing, error) {
	pods, err := s.env.Kube.Clientset().CoreV1().Pods(ControllerNamespace).List(ctx, metav1.ListOptions{LabelSelector: controllerPods})
	if err != nil {
		return nil, err
	}
	trouble := ""
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil && isPodReady(&pods.Items[i]) {
			return nil, nil
		}
		trouble = fmt.Sprintf(": pod %s is not ready (%s)", pods.Items[i].Name, kube.PodTrouble(&pods.Items[i]))
	}
	if trouble == "" {
		trouble = fmt.Sprintf(": there is no pod with label %s in namespace %s", controllerPods, ControllerNamespace)
	}
	return []Missing{{
		What: MissingController, Text: "the ingress controller is gone" + trouble,
		Fix: "`ingresslab up` installs the controller again; nothing of the lab is touched",
	}}, nil
}

func isPodReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// lostStart finds what of start/ is gone that the student has no reason to delete.
func (s *Session) lostStart(ctx context.Context) ([]Missing, error) {
	wanted := s.lab.given()
	var kinds []string
	for _, o := range wanted {
		if !slices.Contains(kinds, o.GetKind()) {
			kinds = append(kinds, o.GetKind())
		}
	}
	present, err := inventoryOf(ctx, s.env.Kube.Clientset(), s.lab.Namespace, kinds...)
	if err != nil {
		return nil, err
	}
	var losses []Missing
	for _, o := range wanted {
		if find(present, keyOf(o)) == nil {
			losses = append(losses, Missing{
				What: MissingStart, Text: kube.Describe(o) + " is gone, which the lab began with",
				Fix: "start/ is put back; your files stay as they are",
			})
		}
	}
	return losses, nil
}

// given returns the objects of start/ in the lab's namespace that no solution replaces or deletes: the student has no reason to take
// them away.
func (l *Lab) given() []*unstructured.Unstructured {
	var given []*unstructured.Unstructured
	solution := l.own(l.Solution)
	for _, o := range l.own(l.Start) {
		if o.GetNamespace() == l.Namespace && find(solution, keyOf(o)) == nil && !l.deletes(o) {
			given = append(given, o)
		}
	}
	return given
}

// deletes tells whether a solution deletes the object.
func (l *Lab) deletes(o *unstructured.Unstructured) bool {
	for _, t := range l.Tasks {
		for _, step := range t.Solution {
			for _, target := range step.Delete {
				if strings.EqualFold(target, keyOf(o).lower()) {
					return true
				}
				if m, is := l.files[target]; is && find(l.own(m.Objects), keyOf(o)) != nil {
					return true
				}
			}
		}
	}
	return false
}
