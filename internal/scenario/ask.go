package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/util/jsonpath"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// Ask sends the request of an Expect once, whatever its answer should be, after the steps of before, which look only: in the same
// sessions. It returns the answer with the Services of the pod that gave it. The error says which step before did not hold, or why
// there was no answer.
func Ask(ctx context.Context, env Env, namespace string, before []Step, request Expect) (probe.Observation, error) {
	r := checkRunner(env, namespace)
	for _, report := range r.perform(ctx, before) {
		if report.Outcome != Passed {
			return probe.Observation{}, fmt.Errorf("%s: %s", report.Text, report.Why())
		}
	}
	seen := r.seeAnswer(ctx, request, 1)
	switch {
	case seen.err != nil:
		return probe.Observation{}, seen.err
	case seen.observed == nil:
		return probe.Observation{}, errors.New("there was no answer")
	}
	o := *seen.observed
	if o.Served != nil && len(o.Served.Services) == 0 && o.Served.Pod != "" {
		services, err := r.servicesOf(ctx, o.Served.Pod)
		if err != nil {
			return o, err
		}
		o.Served.Services = services
	}
	return o, nil
}

// Field reads a field of an object, KIND/NAME, in kubectl's notation: {.spec.type}. Several results are joined by a space.
func Field(ctx context.Context, env Env, namespace, object, path string) (string, error) {
	wanted, fault := parseReference(object)
	if fault != nil {
		return "", fault
	}
	wanted.SetNamespace(namespace)
	found, err := env.Kube.Get(ctx, wanted)
	if err != nil {
		return "", err
	}
	field := jsonpath.New(object).AllowMissingKeys(true)
	if err := field.Parse(path); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	var text bytes.Buffer
	if err := field.Execute(&text, found.Object); err != nil {
		return "", fmt.Errorf("%s of %s: %w", path, object, err)
	}
	return strings.TrimSpace(text.String()), nil
}

// Host returns the host that the ingress sees, without a port: that of the URL, or of a Host header.
func (e Expect) Host() string { return e.host(isolation{}) }
