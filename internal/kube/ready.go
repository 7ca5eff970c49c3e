package kube

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
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

// SilentError says that the API server stopped to answer while something was waited for: nothing is known about that.
type SilentError struct {
	// For is how long it has not answered, Last what became of the last request.
	For  time.Duration
	Last error
}

// Error is for people. The last request's own error is no cause: that it took too long says nothing about what was waited for.
func (e *SilentError) Error() string {
	return fmt.Sprintf("the API server has not answered for %s: %v", e.For.Round(time.Second), e.Last)
}

const (
	// silenceLimit is for how long the API server may be silent: it may be starting again.
	silenceLimit = 30 * time.Second
	// askTimeout bounds the look at one object, which takes milliseconds.
	askTimeout = 10 * time.Second
)

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
// The error is a *NotReadyError, or a *SilentError. Waiting ends early only for
// what cannot heal by itself, such as an image name that is not one, and if the
// API server stays silent.
func (c *Client) WaitReady(ctx context.Context, objs ...*unstructured.Unstructured) error {
	pause := wait.Backoff{Duration: c.poll, Factor: pollSlowing, Cap: pollSlowest * c.poll, Steps: math.MaxInt}
	timer := time.NewTimer(pause.Step())
	defer timer.Stop()
	pending := objs
	var missing []string
	heard := time.Now()
	for {
		var hopeless, silence error
		pending, missing, hopeless, silence = c.look(ctx, pending, missing)
		if len(pending) == 0 {
			return nil
		}
		if hopeless != nil {
			return &NotReadyError{Missing: missing, Cause: hopeless}
		}
		if silence == nil {
			heard = time.Now()
		} else if silent := time.Since(heard); silent > silenceLimit {
			return &SilentError{For: silent, Last: silence}
		}
		select {
		case <-timer.C:
			timer.Reset(pause.Step())
		case <-ctx.Done():
			// The last look was at most a tick ago; one more, with a context that
			// still works, explains what was found.
			return &NotReadyError{Missing: c.explain(context.WithoutCancel(ctx), pending, missing), Cause: context.Cause(ctx)}
		}
	}
}

// look returns the objects that are not ready and what they lack. When ctx has
// ended the requests fail for that reason alone, so the former findings stand;
// and so they do in silence, which is that the API server did not answer.
func (c *Client) look(ctx context.Context, objs []*unstructured.Unstructured, before []string) (
	pending []*unstructured.Unstructured, missing []string, hopeless, silence error,
) {
	for _, o := range objs {
		v, err := c.ask(ctx, o)
		if ctx.Err() != nil {
			return objs, before, nil, nil
		}
		if err != nil && !answered(err) {
			if len(before) == 0 {
				before = []string{fmt.Sprintf("%s: %v", Describe(o), err)}
			}
			return objs, before, nil, err
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
	return pending, missing, hopeless, nil
}

// ask judges an object, and does not wait forever for the answer.
func (c *Client) ask(ctx context.Context, o *unstructured.Unstructured) (verdict, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("no answer within %s", askTimeout))
	defer cancel()
	v, err := c.judge(ctx, o)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return v, err
}

// answered tells whether an error is what the API server has said.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) || meta.IsNoMatchError(err)
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
