package lab

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Poll checks every task once, without waiting. It skips the checks if the namespace or the
// controller is missing. An error means that the cluster did not respond.
//
// A tutor polls twice a second, so Poll caches the results of tasks that send many requests until
// something relevant changes.
func (s *Session) Poll(ctx context.Context) (State, error) {
	state := State{Tasks: make([]TaskState, len(s.lab.Tasks))}
	for i, t := range s.lab.Tasks {
		state.Tasks[i] = TaskState{ID: t.ID, Title: t.Title, Steps: []scenario.StepReport{}}
	}
	missing, err := s.missing(ctx)
	if err != nil {
		return State{}, err
	}
	state.Missing = missing
	if slices.ContainsFunc(missing, func(m Missing) bool { return m.What != MissingStart }) {
		return state, nil
	}
	begin, fingerprint := time.Now(), ""
	if slices.ContainsFunc(s.lab.Tasks, Task.sendsTraffic) {
		fingerprint = s.fingerprint(ctx)
		s.cache.update(fingerprint, begin)
	}
	var all sync.WaitGroup
	for i, t := range s.lab.Tasks {
		all.Go(func() {
			steps, cached := s.cache.get(t.ID, begin)
			if !cached {
				steps = scenario.CheckOnce(ctx, s.env.Env, s.lab.Namespace, t.Check)
			}
			if !cached && t.sendsTraffic() && fingerprint != "" && ctx.Err() == nil {
				s.cache.put(t.ID, fingerprint, begin, steps)
			}
			state.Tasks[i].Steps, state.Tasks[i].Done = steps, steps[len(steps)-1].Outcome == scenario.Passed
		})
	}
	all.Wait()
	return state, ctx.Err()
}

// The values of Missing.What.
const (
	MissingNamespace  = "namespace"
	MissingController = "controller"
	MissingStart      = "start"
)

// missing lists the missing parts. The error is an *UnreachableError.
func (s *Session) missing(ctx context.Context) ([]Missing, error) {
	var found [3][]Missing
	var errs [3]error
	var all sync.WaitGroup
	for i, find := range []func(context.Context) ([]Missing, error){s.missingNamespace, s.missingController, s.missingStart} {
		all.Go(func() { found[i], errs[i] = find(ctx) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, &UnreachableError{err}
		}
	}
	if len(found[0]) > 0 {
		found[2] = nil // a missing namespace implies missing objects
	}
	return slices.Concat(found[:]...), nil
}

// UnreachableError reports that the API server did not respond, so the state of the lab is unknown.
type UnreachableError struct{ Cause error }

// Error includes the cause, which names the address and the request.
func (e *UnreachableError) Error() string { return "cannot reach the API server: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Cause }

func (s *Session) missingNamespace(ctx context.Context) ([]Missing, error) {
	name := s.lab.Namespace
	m := Missing{What: MissingNamespace, Fix: "creates it with the objects of start/; then apply your own files again"}
	ns, err := s.env.Kube.Clientset().CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		m.Text = fmt.Sprintf("namespace %s does not exist", name)
	case err != nil:
		return nil, err
	case ns.Status.Phase == corev1.NamespaceTerminating || ns.DeletionTimestamp != nil:
		m.Text = fmt.Sprintf("namespace %s is being deleted", name)
	default:
		return nil, nil
	}
	return []Missing{m}, nil
}

func (s *Session) missingController(ctx context.Context) ([]Missing, error) {
	pods, err := s.env.Kube.Clientset().CoreV1().Pods(ControllerNamespace).List(ctx, metav1.ListOptions{LabelSelector: controllerPods})
	if err != nil {
		return nil, err
	}
	reason := fmt.Sprintf("no pod with label %s in namespace %s", controllerPods, ControllerNamespace)
	for i := range pods.Items {
		pod := &pods.Items[i]
		isReady := func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue }
		if pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, isReady) {
			return nil, nil
		}
		reason = fmt.Sprintf("pod %s is not ready (%s)", pod.Name, kube.PodTrouble(pod))
	}
	return []Missing{{
		What: MissingController, Text: "the ingress controller is not running: " + reason,
		Fix: "`ingresslab up` installs the controller again and does not change the lab",
	}}, nil
}

// missingStart lists the objects of start/ that are missing although no task deletes them.
func (s *Session) missingStart(ctx context.Context) ([]Missing, error) {
	required := s.lab.required()
	var kinds []string
	for _, o := range required {
		if !slices.Contains(kinds, o.GetKind()) {
			kinds = append(kinds, o.GetKind())
		}
	}
	present, err := inventoryOf(ctx, s.env.Kube.Clientset(), s.lab.Namespace, kinds...)
	if err != nil {
		return nil, err
	}
	var missing []Missing
	for _, o := range required {
		if find(present, keyOf(o)) == nil {
			missing = append(missing, Missing{
				What: MissingStart, Text: kube.Describe(o) + " from start/ does not exist",
				Fix: "restores start/ and does not change your files",
			})
		}
	}
	return missing, nil
}

// required returns the objects of start/ in the lab's namespace that no solution replaces or
// deletes.
func (l *Lab) required() []*unstructured.Unstructured {
	var required []*unstructured.Unstructured
	solution := l.own(l.Solution)
	for _, o := range l.own(l.Start) {
		if o.GetNamespace() == l.Namespace && find(solution, keyOf(o)) == nil && !l.deletes(o) {
			required = append(required, o)
		}
	}
	return required
}

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

const (
	// unstableFor is the time after a change in which results are not cached, because the
	// controller can still be applying it.
	unstableFor  = 3 * time.Second
	expiresAfter = 5 * time.Second // expiresAfter is the lifetime of a cached result
)

// pollCache caches the results of tasks with traffic steps, each of which can send 180 requests. It
// is safe for concurrent use.
type pollCache struct {
	mu          sync.Mutex
	fingerprint string
	since       time.Time // when the fingerprint was first seen
	results     map[string]pollResult
}

type pollResult struct {
	at    time.Time
	steps []scenario.StepReport
}

// update clears the cache if the fingerprint has changed or is unknown.
func (c *pollCache) update(fingerprint string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if fingerprint == "" || fingerprint != c.fingerprint {
		c.fingerprint, c.since, c.results = fingerprint, now, map[string]pollResult{}
	}
}

// get returns the cached result of a task if it is recent and came after a stable period.
func (c *pollCache) get(task string, now time.Time) ([]scenario.StepReport, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.results[task]
	return r.steps, ok && r.at.Sub(c.since) >= unstableFor && now.Sub(r.at) < expiresAfter
}

// put caches a result unless the fingerprint has changed since the check began.
func (c *pollCache) put(task, fingerprint string, at time.Time, steps []scenario.StepReport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.results != nil && fingerprint == c.fingerprint {
		c.results[task] = pollResult{at, steps}
	}
}

// sendsTraffic reports whether a check of the task sends many requests.
func (t Task) sendsTraffic() bool {
	return slices.ContainsFunc(t.Check, func(step scenario.Step) bool { return step.Traffic != nil })
}

// fingerprint changes whenever an object changes that can affect responses: in the lab's namespace,
// or the controller's settings and pods. It is empty if a request fails.
func (s *Session) fingerprint(ctx context.Context) string {
	c, own := s.env.Kube.Clientset(), s.lab.Namespace
	all := metav1.ListOptions{}
	lists := []func() (runtime.Object, error){
		func() (runtime.Object, error) { return c.NetworkingV1().Ingresses(own).List(ctx, all) },
		func() (runtime.Object, error) { return c.CoreV1().Services(own).List(ctx, all) },
		func() (runtime.Object, error) { return c.DiscoveryV1().EndpointSlices(own).List(ctx, all) },
		func() (runtime.Object, error) { return c.CoreV1().ConfigMaps(own).List(ctx, all) },
		func() (runtime.Object, error) { return c.CoreV1().Secrets(own).List(ctx, all) },
		func() (runtime.Object, error) { return c.CoreV1().ConfigMaps(ControllerNamespace).List(ctx, all) },
		func() (runtime.Object, error) { return c.NetworkingV1().Ingresses(ControllerNamespace).List(ctx, all) },
		func() (runtime.Object, error) {
			return c.CoreV1().Pods(ControllerNamespace).List(ctx, metav1.ListOptions{LabelSelector: controllerPods})
		},
	}
	hashes := make([]string, len(lists))
	var group sync.WaitGroup
	for i, list := range lists {
		group.Go(func() { hashes[i] = hash(list()) })
	}
	group.Wait()
	if slices.Contains(hashes, "") {
		return ""
	}
	return fmt.Sprint(hashes)
}

// hash returns a hash of the items of a list. It is empty if err is not nil.
func hash(list runtime.Object, err error) string {
	if err != nil {
		return ""
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(list)
	if err != nil {
		return ""
	}
	delete(content, "metadata") // the list's resourceVersion changes with every write to the cluster
	h := fnv.New64a()
	_, _ = io.WriteString(h, fmt.Sprint(content)) // a hash never fails, and fmt sorts the keys of maps
	return fmt.Sprintf("%x", h.Sum64())
}
