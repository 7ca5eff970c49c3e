package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// ErrNoQuiz reports that a lab has no quiz.
var ErrNoQuiz = errors.New("this lab has no quiz")

// Pose returns the quiz with its current choices. The error is ErrNoQuiz, or says why there are no
// choices.
func (s *Session) Pose(ctx context.Context) (Question, error) {
	q := s.lab.Quiz
	if q == nil {
		return Question{}, ErrNoQuiz
	}
	choices, err := s.choices(ctx)
	return Question{Text: strings.TrimSpace(q.Question), Choices: choices}, err
}

// choices returns the choices of the lab, or the names of the ready pods of a Service.
func (s *Session) choices(ctx context.Context) ([]string, error) {
	q := s.lab.Quiz
	if q.PodsOf == "" {
		return q.Choices, nil
	}
	list, err := s.env.Kube.Clientset().DiscoveryV1().EndpointSlices(s.lab.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + q.PodsOf,
	})
	if err != nil {
		return nil, fmt.Errorf("pods of service %s: %w", q.PodsOf, err)
	}
	var pods []string
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			ready := e.Conditions.Ready == nil || *e.Conditions.Ready
			if ready && e.TargetRef != nil && !slices.Contains(pods, e.TargetRef.Name) {
				pods = append(pods, e.TargetRef.Name)
			}
		}
	}
	if len(pods) == 0 {
		return nil, fmt.Errorf("service %s has no ready pods; solve the lab first", q.PodsOf)
	}
	slices.Sort(pods)
	return pods, nil
}

// Grade gets the answer from the cluster and compares it with a choice of Pose. The error is
// ErrNoQuiz, or says that the choice or the cluster's answer is not one of the choices. If the
// answer is not, the lab is not solved.
func (s *Session) Grade(ctx context.Context, choice string) (Grade, error) {
	q := s.lab.Quiz
	if q == nil {
		return Grade{}, ErrNoQuiz
	}
	choices, err := s.choices(ctx)
	if err != nil {
		return Grade{}, err
	}
	if !slices.Contains(choices, choice) {
		return Grade{}, fmt.Errorf("%q is not one of the choices: %s", choice, strings.Join(choices, ", "))
	}
	said, evidence, err := s.truth(ctx)
	if err != nil {
		return Grade{}, err
	}
	at := slices.IndexFunc(choices, func(c string) bool { return strings.EqualFold(strings.TrimSpace(c), said) })
	if at < 0 && q.Answer == "body" {
		at = slices.IndexFunc(choices, func(c string) bool { return strings.Contains(said, strings.TrimSpace(c)) })
	}
	if at < 0 {
		return Grade{}, fmt.Errorf("the answer from the cluster, %q, is not one of the choices (%s); solve the lab first", said,
			strings.Join(choices, ", "))
	}
	return Grade{Choice: choice, Truth: choices[at], Right: choices[at] == choice, Why: strings.TrimSpace(q.Why), Evidence: evidence}, nil
}

// truth determines the correct answer by asking the cluster, and returns the evidence.
func (s *Session) truth(ctx context.Context) (said, evidence string, err error) {
	q := s.lab.Quiz
	if q.Request == nil {
		said, err = scenario.Field(ctx, s.env.Env, s.lab.Namespace, q.Object, q.JSONPath)
		return said, fmt.Sprintf("%s of %s is %s", q.JSONPath, q.Object, cmp.Or(said, "empty")), err
	}
	o, err := scenario.Ask(ctx, s.env.Env, s.lab.Namespace, q.Before, *q.Request)
	if err != nil {
		return "", "", err
	}
	said, err = partOf(o, q.Answer)
	if q.Answer == "status" {
		return said, fmt.Sprintf("%s %s returned %d", o.Method, o.URL, o.Status), err
	}
	return said, fmt.Sprintf("%s %s returned %d, %s %s", o.Method, o.URL, o.Status, q.Answer, said), err
}

// partOf returns the part of a response that Quiz.Answer selects.
func partOf(o probe.Observation, part string) (string, error) {
	if name, is := strings.CutPrefix(part, "header "); is {
		return o.Header.Get(name), nil
	}
	served := o.Served
	if served == nil {
		served = &probe.Served{}
	}
	switch part {
	case "status":
		return fmt.Sprint(o.Status), nil
	case "app":
		return served.App, nil
	case "pod":
		return served.Pod, nil
	case "service":
		if len(served.Services) == 0 {
			return "", nil
		}
		return served.Services[0], nil
	case "body":
		return strings.TrimSpace(string(o.Body)), nil
	}
	return "", fmt.Errorf("unknown part %q of a response", part)
}
