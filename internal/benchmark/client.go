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

// browser sends requests to the ingress, as a client from this machine.
type browser struct {
	address string
	client  *http.Client
	// sent counts the requests, failed those that no virtual pod answered.
	sent, failed atomic.Int64
}

// attemptTimeout bounds one request: while there is no controller nobody may answer.
const attemptTimeout = 2 * time.Second

func newBrowser(address string) *browser {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true} // and no proxy of the environment
	return &browser{address: address, client: &http.Client{
		Transport: transport, Timeout: attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ask requests a host's page and returns the address of the virtual pod that served it.
func (b *browser) ask(ctx context.Context, host string) (string, error) {
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
		return "", fmt.Errorf("http://%s/ answers %s", host, answer.Status)
	}
	return served, nil
}

// until asks until the answer is as wanted, and returns when that was. Between two requests it waits.
func (b *browser) until(ctx context.Context, host string, between time.Duration, wanted func(address string) bool) (time.Time, error) {
	for {
		served, err := b.ask(ctx, host)
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

// close lets go of the connections.
func (b *browser) close() { b.client.CloseIdleConnections() }
