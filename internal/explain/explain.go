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

// Request is a request for the controller to explain.
type Request struct {
	URL     string   // URL is an absolute http or https URL
	Method  string   // Method is the HTTP method; empty means GET
	Headers []string // Headers have the form "Name: value"
	Client  string   // Client is the client's IP address; empty means the API server's address
	// Random is the random value for canaries, at least 0 and less than 1. Empty means 0.5.
	Random string
}

// Asker sends a request to a pod; *kube.Client is one.
type Asker interface {
	AskPod(ctx context.Context, selector, port, path string, query url.Values, accept string) (*kube.Answer, error)
}

// RefusedError is why the controller rejects a query as invalid.
type RefusedError struct{ Why string }

// Error implements error.
func (e *RefusedError) Error() string { return e.Why }

// The media types of an explanation.
const (
	Text = "text/plain"
	JSON = "application/json"
)

// Candidate is a rule or canary that the controller considered.
type Candidate struct {
	Ingress, Field       string // Ingress is its namespace/name, Field the place in it
	Host, Path, PathType string
	Service              string
	Canary, Won          bool
	// Cause and Args say why the candidate won or lost (routing.Cause). Why is the sentence.
	Cause string
	Args  map[string]string
	Why   string
}

// Explanation is how the controller would route a request.
type Explanation struct {
	// Action is forward, redirect, refuse, or preflight. Status is that of the response if no pod
	// serves the request.
	Action     string
	Status     int
	Reason     string
	Service    string
	Candidates []Candidate
}

// Ingresses returns the names of the Ingresses in a namespace that have a rule for the request's
// host, or a default backend.
func (e *Explanation) Ingresses(namespace string) map[string]bool {
	all := map[string]bool{}
	for _, c := range e.Candidates {
		if in, name, _ := strings.Cut(c.Ingress, "/"); in == namespace && c.Cause != "OtherHost" {
			all[name] = true
		}
	}
	return all
}

// Explain returns the controller's explanation. Errors are those of Ask.
func Explain(ctx context.Context, asker Asker, q Request) (*Explanation, error) {
	text, err := Ask(ctx, asker, q, JSON)
	if err != nil {
		return nil, err
	}
	e := &Explanation{}
	if err := json.Unmarshal([]byte(text), e); err != nil {
		return nil, fmt.Errorf("read the controller's explanation: %w", err)
	}
	return e, nil
}

// Ask returns the controller's explanation in a format. The error is a *RefusedError for an invalid
// query. Any other error says why no controller can answer, and what to do.
func Ask(ctx context.Context, asker Asker, q Request, format string) (string, error) {
	query := url.Values{"url": {q.URL}, "method": {q.Method}, "header": q.Headers}
	if q.Method == "" {
		query.Set("method", http.MethodGet)
	}
	for name, value := range map[string]string{"client": q.Client, "random": q.Random} {
		if value != "" {
			query.Set(name, value)
		}
	}
	answer, err := asker.AskPod(ctx, Controller, "status", "api/v1/explain", query, format)
	var none *kube.NoReadyPodError
	switch {
	case errors.As(err, &none) && none.Pod == "":
		return "", errors.New("the controller is not installed; run `ingresslab up` to install it")
	case errors.As(err, &none):
		return "", fmt.Errorf("the controller is not ready: %w; run `ingresslab export-logs` to collect its logs", err)
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
	return "", fmt.Errorf("the controller responded with %d and no explanation: %s", answer.Status, reason)
}

// reasonOf returns the message of an error response, which is JSON for a query in JSON.
func reasonOf(body []byte) string {
	var refusal struct{ Error, Message string }
	if json.Unmarshal(body, &refusal) == nil && refusal.Error+refusal.Message != "" {
		return refusal.Error + refusal.Message
	}
	return strings.TrimSpace(string(body))
}
