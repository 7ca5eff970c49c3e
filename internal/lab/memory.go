package lab

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

const (
	// unrest is for how long after a change traffic is sent at every look: the change may come into force only then.
	unrest = 3 * time.Second
	// stale is how old what traffic came to may be while nothing changes.
	stale = 5 * time.Second
)

// memory keeps what looks at tasks came to that send traffic, which can be 180 requests a look. It is safe for concurrent use.
type memory struct {
	mu sync.Mutex
	// stamp is what there was at the last look, and since is when it was first seen.
	stamp string
	since time.Time
	seen  map[string]sighting
}

// sighting is what one look at a task came to.
type sighting struct {
	at    time.Time
	steps []scenario.StepReport
}

// note takes in what there is now.
func (m *memory) note(stamp string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if stamp == "" || stamp != m.stamp {
		m.stamp, m.since, m.seen = stamp, now, map[string]sighting{}
	}
}

// recall returns what the last look at a task came to, if it still counts: nothing has changed for a while before it, and it is young.
func (m *memory) recall(task string, now time.Time) ([]scenario.StepReport, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.seen[task]
	return s.steps, ok && s.at.Sub(m.since) >= unrest && now.Sub(s.at) < stale
}

// keep remembers a look that began at a time, unless something has changed since.
func (m *memory) keep(task, stamp string, at time.Time, steps []scenario.StepReport) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen != nil && stamp == m.stamp {
		m.seen[task] = sighting{at, steps}
	}
}

// sendsTraffic tells whether a look at the task takes many requests.
func (t Task) sendsTraffic() bool {
	return slices.ContainsFunc(t.Check, func(step scenario.Step) bool { return step.Traffic != nil })
}

// stamp is another one as soon as something has changed that decides who answers requests: in the lab's namespace, and the
// controller's settings and pods. It is empty if that cannot be told.
func (s *Session) stamp(ctx context.Context) string {
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
	sums := make([]string, len(lists))
	var group sync.WaitGroup
	for i, list := range lists {
		group.Go(func() { sums[i] = sum(list()) })
	}
	group.Wait()
	if slices.Contains(sums, "") {
		return ""
	}
	return fmt.Sprint(sums)
}

// sum is another one if something is another one in a list; empty with an error.
func sum(list runtime.Object, err error) string {
	if err != nil {
		return ""
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(list)
	if err != nil {
		return ""
	}
	delete(content, "metadata") // of the list: it tells the time of the whole cluster
	h := fnv.New64a()
	_, _ = io.WriteString(h, fmt.Sprint(content)) // a hash takes everything; maps are printed by their keys
	return fmt.Sprintf("%x", h.Sum64())
}
