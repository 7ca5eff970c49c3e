package benchmark

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// maxUnderway is how many pods may be in the course of being replaced. When there are more the cluster cannot keep up.
	maxUnderway = 256
	// maxAsking is how many of them clients ask for at the same time: more would measure the load of the measuring.
	maxAsking = 8
	// changeTimeout is when a change is given up.
	changeTimeout = 30 * time.Second
)

// Propagation is how long changes took to reach clients. A change is a new pod in the place of an old one.
type Propagation struct {
	// Total is from the request that creates the pod to the first answer that comes from it. The other three are its parts:
	// until the pod is seen Ready, from there until its address is seen in an EndpointSlice, and from there until it answers.
	// The last part is the controller's.
	Total     Quantiles `json:"createdToServed"`
	Ready     Quantiles `json:"createdToReady"`
	Listed    Quantiles `json:"readyToListed"`
	Published Quantiles `json:"listedToServed"`
	// Rate is how many changes there were in a second; Missed those that were left out since too many were underway; Failed
	// those that came to nothing, the first for the reason Failure.
	Rate    float64 `json:"changesPerSecond"`
	Missed  int     `json:"missed"`
	Failed  int     `json:"failed"`
	Failure string  `json:"failure,omitempty"`
	// Requests is how many requests clients sent to find out, and Errors how many of them were not served.
	Requests int64 `json:"requests"`
	Errors   int64 `json:"errors"`
}

// churn replaces pods at a rate, and follows what it can of that.
type churn struct {
	*simulation
	group  sync.WaitGroup
	asking chan struct{}

	mu                             sync.Mutex
	replaced                       []int // for each Service, how many of its pods
	busy                           map[int]bool
	total, ready, listed, finished []time.Duration
	changes, missed, failed        int
	failure                        error
}

// churn changes endpoints for the duration. The error is that of ctx; what fails in the cluster is in the Propagation.
func (s *simulation) churn(ctx context.Context) (p Propagation, err error) {
	detail, done := s.Progress.Begin(fmt.Sprintf("Replacing %g pods a second for %s", s.Churn, s.Duration))
	defer func() { done(err) }()
	c := &churn{simulation: s, asking: make(chan struct{}, maxAsking), replaced: make([]int, s.Services), busy: map[int]bool{}}
	sent, errors := s.browser.sent.Load(), s.browser.failed.Load()
	order := rand.New(rand.NewPCG(1, 2)).Perm(min(s.Services, s.Ingresses)) // the same each time, and neighbors in nothing
	tick := time.NewTicker(time.Duration(float64(time.Second) / s.Churn))
	defer tick.Stop()
	began := time.Now()
	end := time.NewTimer(s.Duration)
	defer end.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
			c.start(ctx, order[n%len(order)])
			detail(fmt.Sprintf("%d begun", n+1))
			continue
		case <-end.C:
		case <-ctx.Done():
		}
		break
	}
	elapsed := time.Since(began)
	c.group.Wait()
	if ctx.Err() != nil {
		return p, context.Cause(ctx)
	}
	p = Propagation{
		Total: quantilesOf(c.total), Ready: quantilesOf(c.ready), Listed: quantilesOf(c.listed), Published: quantilesOf(c.finished),
		Rate: float64(c.changes) / elapsed.Seconds(), Missed: c.missed, Failed: c.failed,
		Requests: s.browser.sent.Load() - sent, Errors: s.browser.failed.Load() - errors,
	}
	if c.failure != nil {
		p.Failure = c.failure.Error()
	}
	return p, nil
}

// start begins to replace the oldest pod of a Service, unless there is too much to do already.
func (c *churn) start(ctx context.Context, service int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[service] || len(c.busy) >= maxUnderway {
		c.missed++
		return
	}
	c.busy[service] = true
	c.changes++
	oldest := c.replaced[service]
	c.replaced[service]++
	c.group.Go(func() {
		err := c.replace(ctx, service, oldest)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.busy, service)
		if err != nil && ctx.Err() == nil {
			if c.failed++; c.failure == nil {
				c.failure = err
			}
		}
	})
}

// replace makes a new pod for a Service, and deletes its oldest when the new one serves.
func (c *churn) replace(ctx context.Context, service, oldest int) error {
	bounded, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	err := c.follow(bounded, service, oldest+c.podsOf(service))
	pods := c.client.CoreV1().Pods(namespaceOf(service))
	deleteErr := pods.Delete(ctx, podName(service, oldest), metav1.DeleteOptions{})
	if err == nil && deleteErr != nil && !apierrors.IsNotFound(deleteErr) {
		err = fmt.Errorf("delete pod %s: %w", podName(service, oldest), deleteErr)
	}
	return err
}

// follow makes a pod and follows it until a client is served by it.
func (c *churn) follow(ctx context.Context, service, ordinal int) error {
	namespace, name := namespaceOf(service), podName(service, ordinal)
	created := time.Now()
	pod := newPod(service, ordinal, (service+ordinal)%c.nodes())
	if _, err := c.client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create pod %s/%s: %w", namespace, name, err)
	}
	ready, err := c.watcher.awaitReady(ctx, namespace+"/"+name)
	if err != nil {
		return fmt.Errorf("pod %s/%s is not Ready: %w", namespace, name, err)
	}
	listed, err := c.watcher.awaitListed(ctx, ready.address)
	if err != nil {
		return fmt.Errorf("pod %s/%s is Ready and in no EndpointSlice: %w", namespace, name, err)
	}
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	default:
		return nil // it is not measured
	}
	served, err := c.browser.until(ctx, hostOf(service), askInterval, func(address string) bool { return address == ready.address })
	if err != nil {
		return fmt.Errorf("pod %s/%s is in an EndpointSlice and gets no requests: %w", namespace, name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total = append(c.total, served.Sub(created))
	c.ready = append(c.ready, ready.at.Sub(created))
	c.listed = append(c.listed, max(0, listed.Sub(ready.at))) // the two come by different watches
	c.finished = append(c.finished, max(0, served.Sub(listed)))
	return nil
}
