package benchmark

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/virtual"
)

// browser sends requests from this machine to the Ingress controller.
type browser struct {
	address string
	client  *http.Client
	// sent counts requests; failed counts those without a response of a virtual pod.
	sent, failed atomic.Int64
}

// attemptTimeout limits a request. There is no response during a restart of the controller.
const attemptTimeout = 2 * time.Second

func newBrowser(address string) *browser {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true} // ignores the proxy settings of the environment
	return &browser{address: address, client: &http.Client{
		Transport: transport, Timeout: attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// get requests the page of a host, and returns the address of the virtual pod that responded.
func (b *browser) get(ctx context.Context, host string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.address+"/", nil)
	if err != nil {
		return "", err
	}
	request.Host = host
	b.sent.Add(1)
	answer, err := b.client.Do(request)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	if err != nil {
		return "", err
	}
	served := answer.Header.Get(virtual.HeaderAddress)
	if answer.StatusCode != http.StatusOK || served == "" {
		return "", fmt.Errorf("http://%s/ responds with %s", host, answer.Status)
	}
	return served, nil
}

// until sends requests until wanted accepts a response, and returns the time of that response.
func (b *browser) until(ctx context.Context, host string, between time.Duration, wanted func(address string) bool) (time.Time, error) {
	for {
		served, err := b.get(ctx, host)
		switch {
		case err == nil && wanted(served):
			return time.Now(), nil
		case err != nil && ctx.Err() == nil:
			b.failed.Add(1)
		}
		if pauseErr := pause(ctx, between); pauseErr != nil {
			if err != nil {
				return time.Time{}, fmt.Errorf("%w: %w", pauseErr, err)
			}
			return time.Time{}, pauseErr
		}
	}
}
