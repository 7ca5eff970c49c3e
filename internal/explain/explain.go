package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ingresslab/ingresslab/internal/kube"
)

// Controller selects the controller's pods, in whichever namespace they are.
const Controller = "app.kubernetes.io/part-of=ingresslab,app.kubernetes.io/component=controller"

// Question is a request that the controller is asked about.
type Question struct {
	// URL is an absolute http or https URL.
	URL string
	// Method is GET if it is empty.
	Method string
	// Headers are written "Name: value".
	Headers []string
	// Client is the IP address that the request comes from, that of the API server if it is empty.
	Client string
	// Draw is the number from 0 to 1 that shares of canaries are drawn with, 0.5 if it is empty.
	Draw string
}

// Asker asks a pod; *kube.Client is one.
type Asker interface {
	AskPod(ctx context.Context, selector, port, path string, query url.Values, accept string) (*kube.Answer, error)
}

// RefusedError says why a question makes no sense to the controller.
type RefusedError struct{ Why string }

// Error implements error.
func (e *RefusedError) Error() string { return e.Why }

// The formats of an answer, as HTTP names them.
const (
	Text = "text/plain"
	JSON = "application/json"
)

// Ask returns the controller's explanation in the format. The error is a *RefusedError for a question that makes no sense;
// any other says why there is no controller to ask, and what to do about it.
func Ask(ctx context.Context, asker Asker, q Question, format string) (string, error) {
	query := url.Values{"url": {q.URL}, "method": {q.Method}, "header": q.Headers}
	if q.Method == "" {
		query.Set("method", http.MethodGet)
	}
	for name, value := range map[string]string{"client": q.Client, "draw": q.Draw} {
		if value != "" {
			query.Set(name, value)
		}
	}
	answer, err := asker.AskPod(ctx, Controller, "status", "api/v1/explain", query, format)
	var none *kube.NoReadyPodError
	switch {
	case errors.As(err, &none) && none.Pod == "":
		return "", errors.New("the controller is not installed; `ingresslab up` installs it")
	case errors.As(err, &none):
		return "", fmt.Errorf("the controller is not ready: %w; `ingresslab export-logs` collects what it says", err)
	case err != nil:
		return "", err
	}
	switch answer.Status {
	case http.StatusOK:
		return string(answer.Body), nil
	case http.StatusBadRequest:
		return "", &RefusedError{reasonOf(answer.Body)}
	}
	reason := strings.Join(strings.Fields(reasonOf(answer.Body)), " ")
	return "", fmt.Errorf("the controller answered %d instead of explaining: %s", answer.Status, reason)
}

// reasonOf is the message of a refusal, which is JSON if JSON was asked for.
func reasonOf(body []byte) string {
	var refusal struct{ Error, Message string }
	if json.Unmarshal(body, &refusal) == nil && refusal.Error+refusal.Message != "" {
		return refusal.Error + refusal.Message
	}
	return strings.TrimSpace(string(body))
}
