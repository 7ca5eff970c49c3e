package kube

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// NotReadyError says which objects did not become ready, and what each lacks.
type NotReadyError struct {
	// Missing has a line for each object that is not ready, such as
	// "deployment shop/web: 0 of 2 pods available: pod web-x: image cheese:blue: ErrImagePull".
	Missing []string
	// Cause is why waiting ended: the context's error, or a reason for which no
	// wait helps.
	Cause error
}

func (e *NotReadyError) Error() string {
	return fmt.Sprintf("not ready: %s: %v", strings.Join(e.Missing, "; "), e.Cause)
}

// Unwrap returns the cause, so that errors.Is finds context.DeadlineExceeded.
func (e *NotReadyError) Unwrap() error { return e.Cause }

// verdict is what a look at one object came to.
type verdict struct {
	ready bool
	// missing completes "deployment shop/web: ..." if it is not ready.
	missing string
	// hopeless is set if no waiting will help.
	hopeless error
}

func isReady() verdict { return verdict{ready: true} }

func lacks(format string, args ...any) verdict {
	return verdict{missing: fmt.Sprintf(format, args...)}
}

// WaitReady waits until every object is ready, or ctx ends:
//   - a Deployment, DaemonSet or StatefulSet is rolled out and all its pods are
//     available (what `kubectl rollout status` waits for, and that old pods are gone);
//   - a Pod is Ready or has succeeded;
//   - a Service with a selector has a ready endpoint;
//   - an object of any other kind exists.
//
// The error is a *NotReadyError. Waiting ends early only for what cannot heal
// by itself, such as an image name that is not one.
func (c *Client) WaitReady(ctx context.Context, objs ...*unstructured.Unstructured) error {
	tick := time.NewTicker(c.poll)
	defer tick.Stop()
	pending := objs
	var missing []string
	for {
		var hopeless error
		pending, missing, hopeless = c.look(ctx, pending, missing)
		if len(pending) == 0 {
			return nil
		}
		if hopeless != nil {
			return &NotReadyError{Missing: missing, Cause: hopeless}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			// The last look was at most a tick ago; one more, with a context that
			// still works, explains what was found.
			return &NotReadyError{Missing: c.explain(context.WithoutCancel(ctx), pending, missing), Cause: context.Cause(ctx)}
		}
	}
}

// look returns the objects that are not ready and what they lack. When ctx has
// ended the requests fail for that reason alone, so the former findings stand.
func (c *Client) look(ctx context.Context, objs []*unstructured.Unstructured, before []string) (
	pending []*unstructured.Unstructured, missing []string, hopeless error,
) {
	for _, o := range objs {
		v, err := c.judge(ctx, o)
		if ctx.Err() != nil {
			return objs, before, nil
		}
		if err != nil {
			v = lacks("%v", err)
		}
		if v.ready {
			continue
		}
		pending = append(pending, o)
		missing = append(missing, Describe(o)+": "+v.missing)
		if v.hopeless != nil {
			hopeless = v.hopeless
		}
	}
	return pending, missing, hopeless
}

// explainTimeout bounds the look that explains a time-out.
const explainTimeout = 3 * time.Second

func (c *Client) explain(ctx context.Context, objs []*unstructured.Unstructured, before []string) []string {
	ctx, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	var lines []string
	for _, o := range objs {
		v, err := c.judge(ctx, o)
		switch {
		case err != nil && len(before) > 0:
			return before
		case err != nil:
			v = lacks("%v", err)
		case v.ready:
			v = lacks("became ready too late")
		default:
			v.missing += c.lastWarning(ctx, o)
		}
		lines = append(lines, Describe(o)+": "+v.missing)
	}
	return lines
}
