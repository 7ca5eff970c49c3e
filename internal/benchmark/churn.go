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
	maxUnderway = 256 // pods that are replaced at the same time; the cluster cannot keep up with more
	// maxAsking limits the changes that clients poll for at the same time. More would measure the load of the benchmark itself.
	maxAsking     = 8
	changeTimeout = 30 * time.Second
)

// Propagation is the time from a change to the clients. A change replaces an old pod with a new one.
type Propagation struct {
	// Total is the time from the creation of the pod to its first response. It has three parts: until the pod is Ready, until
	// its address is in an EndpointSlice, and until it responds. The last part is the controller's.
	Total     Quantiles `json:"createdToServed"`
	Ready     Quantiles `json:"createdToReady"`
	Listed    Quantiles `json:"readyToListed"`
	Published Quantiles `json:"listedToServed"`
	// Rate is in changes per second. Missed counts changes that were skipped because too many were running. Failed counts
	// failed changes; Failure is the first error.
	Rate    float64 `json:"changesPerSecond"`
	Missed  int     `json:"missed"`
	Failed  int     `json:"failed"`
	Failure string  `json:"failure,omitempty"`
	// Requests counts the requests of the clients, and Errors those without a successful response.
	Requests int64 `json:"requests"`
	Errors   int64 `json:"errors"`
}

// churn replaces pods at a rate, and measures the changes.
type churn struct {
	*bench
	group  sync.WaitGroup
	asking chan struct{}

	mu                             sync.Mutex
	replaced                       []int // per Service
	busy                           map[int]bool
	total, ready, listed, finished []time.Duration
	changes, missed, failed        int
	failure                        error
}

// churn replaces pods for s.Duration. The error is that of ctx; the Propagation has the errors of the cluster.
func (s *bench) churn(ctx context.Context) (p Propagation, err error) {
	detail, done := s.Progress.Begin(fmt.Sprintf("Replacing %g pods a second for %s", s.Churn, s.Duration))
	defer func() { done(err) }()
	c := &churn{bench: s, asking: make(chan struct{}, maxAsking), replaced: make([]int, s.Services), busy: map[int]bool{}}
	sent, errors := s.browser.sent.Load(), s.browser.failed.Load()
	order := rand.New(rand.NewPCG(1, 2)).Perm(min(s.Services, s.Ingresses)) // the same order in each run
	tick := time.NewTicker(time.Duration(float64(time.Second) / s.Churn))
	defer tick.Stop()
	began := time.Now()
	end := time.NewTimer(s.Duration)
	defer end.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
			c.start(ctx, order[n%len(order)])
			detail(fmt.Sprintf("%d started", n+1))
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

// start replaces the oldest pod of a Service in the background, unless too many changes are running.
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

// replace creates a pod for a Service, and deletes the oldest one when the new one responds.
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

// follow creates a pod, and measures the time until it serves a client.
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
		return fmt.Errorf("pod %s/%s is Ready but in no EndpointSlice: %w", namespace, name, err)
	}
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	default:
		return nil // without a measurement
	}
	served, err := c.browser.until(ctx, hostOf(service), askInterval, func(address string) bool { return address == ready.address })
	if err != nil {
		return fmt.Errorf("pod %s/%s is in an EndpointSlice but gets no requests: %w", namespace, name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total = append(c.total, served.Sub(created))
	c.ready = append(c.ready, ready.at.Sub(created))
	c.listed = append(c.listed, max(0, listed.Sub(ready.at))) // never negative: two watches report the events, in any order
	c.finished = append(c.finished, max(0, served.Sub(listed)))
	return nil
}
