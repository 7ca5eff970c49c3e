package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

const (
	// reachTimeout bounds the time from "every pod is ready" until a request
	// from this machine gets through; it is a matter of milliseconds.
	reachTimeout = 30 * time.Second
	// reachPoll is how often it is tried.
	reachPoll = 100 * time.Millisecond
	// attemptTimeout bounds one try.
	attemptTimeout = 3 * time.Second
)

// awaitIngress waits until both the ingress and the status page answer at
// their addresses on this machine. Any answer will do: what the ingress says
// depends on the rules that are in force, and without any it is a 404.
func awaitIngress(ctx context.Context, at cluster.Addresses, progress cluster.Progress) (err error) {
	done := progress.Step("Waiting for the ingress to answer at " + at.HTTP)
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	for _, address := range []string{at.HTTP, at.Status} {
		if err := awaitAnswer(ctx, address); err != nil {
			return err
		}
	}
	return nil
}

func awaitAnswer(ctx context.Context, address string) error {
	// No proxy of the environment, no connection left over from a former pod.
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for {
		err := attempt(ctx, client, address)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(reachPoll):
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.Canceled) {
				return context.Cause(ctx)
			}
			return fmt.Errorf("the controller's pods are ready, but http://%s/ does not answer: %w", address, err)
		}
	}
}

func attempt(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return errors.Join(err, resp.Body.Close())
}
