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

// ErrNoQuiz says that a lab has no question.
var ErrNoQuiz = errors.New("this lab has no quiz")

// Pose returns the quiz with the choices of this moment. Grade then asks the cluster and explains. The error is ErrNoQuiz if there is
// none; any other says that there are no choices yet, or that the cluster cannot be asked.
func (s *Session) Pose(ctx context.Context) (Question, error) {
	q := s.lab.Quiz
	if q == nil {
		return Question{}, ErrNoQuiz
	}
	choices, err := s.choices(ctx)
	return Question{Text: strings.TrimSpace(q.Question), Choices: choices}, err
}

// choices are those of the lab, or the ready pods of its Service, by name.
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
		return nil, fmt.Errorf("service %s has no ready pod to choose from; solve the lab first", q.PodsOf)
	}
	slices.Sort(pods)
	return pods, nil
}

// Grade finds the truth and compares the choice with it. The choice is one of those that Pose has returned. The error is ErrNoQuiz if
// there is no quiz; any other says that the choice is none, or that the cluster says nothing that is among the choices: the lab is not
// solved then.
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
		return Grade{}, fmt.Errorf("%q is not among the choices: %s", choice, strings.Join(choices, ", "))
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
		return Grade{}, fmt.Errorf("the cluster says %q, which is not among the choices: %s", said, strings.Join(choices, ", "))
	}
	return Grade{Choice: choice, Truth: choices[at], Right: choices[at] == choice, Why: strings.TrimSpace(q.Why), Evidence: evidence}, nil
}

// truth asks the cluster, and says how.
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
		return said, fmt.Sprintf("%s %s was answered with %d", o.Method, o.URL, o.Status), err
	}
	return said, fmt.Sprintf("%s %s was answered with %d, %s %s", o.Method, o.URL, o.Status, q.Answer, said), err
}

// partOf returns the part of an answer that a quiz asks for, see Quiz.
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
	return "", fmt.Errorf("an answer has no part %q", part)
}
