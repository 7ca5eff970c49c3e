//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// traffic is a stream of requests for one host during a spec.
type traffic struct {
	host   string
	client *http.Client
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	sent     int
	failures []string
	pods     map[string]int
}

// start sends requests from concurrent clients without pauses. They keep connections, as browsers
// do.
func start(ctx context.Context, host string, clients int) *traffic {
	ctx, cancel := context.WithCancel(ctx)
	t := &traffic{host: host, stop: cancel, pods: map[string]int{}}
	dialer := &net.Dialer{}
	t.client = &http.Client{
		Timeout: 15 * time.Second,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: clients,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, lab.cluster.Addresses.HTTP)
			},
		},
	}
	for range clients {
		t.done.Go(func() {
			for ctx.Err() == nil {
				t.record(t.send(ctx))
			}
		})
	}
	DeferCleanup(cancel)
	return t
}

// send sends one request, which also completes after the traffic stops.
func (t *traffic) send(ctx context.Context) (pod, failure string) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, "http://"+t.host+"/", nil)
	if err != nil {
		return "", err.Error()
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return "", err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "", "body: " + err.Error()
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Sprintf("%d: %s", resp.StatusCode, resp.Header.Get("X-Ingresslab-Reason"))
	}
	return resp.Header.Get("X-Served-By"), ""
}

func (t *traffic) record(pod, failure string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent++
	if failure != "" {
		t.failures = append(t.failures, failure)
		return
	}
	t.pods[pod]++
}

// served returns how many requests a pod has served.
func (t *traffic) served(pod string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pods[pod]
}

// expectNoFailure ends the traffic. It fails the spec after a failed request, or too few requests.
func (t *traffic) expectNoFailure(atLeast int) {
	GinkgoHelper()
	t.stop()
	t.done.Wait()
	GinkgoWriter.Printf("traffic to %s: %d requests, %d failed, answered by %v\n", t.host, t.sent, len(t.failures), t.pods)
	Expect(t.failures).To(BeEmpty(), "of %d requests", t.sent)
	Expect(t.sent).To(BeNumerically(">=", atLeast), "too few requests")
}
