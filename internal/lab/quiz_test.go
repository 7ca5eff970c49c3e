package lab_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// always is an ingress that returns the same response to every request.
type always probe.Observation

func (a always) Do(_ context.Context, r probe.Request) probe.Observation {
	o := probe.Observation(a)
	o.Method, o.URL = "GET", r.URL
	if o.Served != nil {
		served := *o.Served
		o.Served = &served
	}
	return o
}

// page returns a response of the pod of Service cheddar.
func page() probe.Observation {
	return probe.Observation{
		Status: http.StatusOK, Header: http.Header{"Etag": {"v1"}}, Body: []byte("<title>Cheddar</title>\n"),
		Served: &probe.Served{Namespace: "lab-1", Pod: "cheddar-pod", App: "cheese"},
	}
}

const quizURL = "http://cheddar.localhost/"

func request(answer string, choices ...string) *lab.Quiz {
	return &lab.Quiz{Question: "What?\n", Why: " Because.\n", Request: &scenario.Expect{URL: quizURL}, Answer: answer, Choices: choices}
}

func quizzed(t *testing.T, q *lab.Quiz, o probe.Observation) *lab.Session {
	t.Helper()
	l := hostRouting(t)
	l.Quiz = q
	_, env := environment(t)
	env.HTTP = always(o)
	return begun(t, l, env)
}

// Each kind of quiz gets a right and a wrong answer.
func TestGrade(t *testing.T) {
	t.Parallel()
	const answered = "GET " + quizURL + " returned 200, "
	ofObject := &lab.Quiz{
		Question: "What?", Why: "Because.", Object: "service/cheddar", JSONPath: "{.spec.ports[0].port}", Choices: []string{"80", "8080"},
	}
	ofPods := request("pod")
	ofPods.PodsOf = "cheddar"
	for name, tc := range map[string]struct {
		quiz             *lab.Quiz
		right, wrong     string
		evidence         string
		choicesOfCluster []string
	}{
		"status":                {request("status", "200", "404"), "200", "404", strings.TrimSuffix(answered, ", "), nil},
		"app":                   {request("app", "cheese", "wine"), "cheese", "wine", answered + "app cheese", nil},
		"pod, in other letters": {request("pod", "wine-pod", "Cheddar-Pod"), "Cheddar-Pod", "wine-pod", answered + "pod cheddar-pod", nil},
		"service of the pod":    {request("service", "cheddar", "stilton"), "cheddar", "stilton", answered + "service cheddar", nil},
		"header":                {request("header ETag", "v1", "v2"), "v1", "v2", answered + "header ETag v1", nil},
		"part of the body":      {request("body", "Stilton", "Cheddar"), "Cheddar", "Stilton", answered + "body <title>Cheddar</title>", nil},
		"field of an object":    {ofObject, "80", "8080", "{.spec.ports[0].port} of service/cheddar is 80", nil},
		"one of the pods":       {ofPods, "cheddar-pod", "", answered + "pod cheddar-pod", []string{"cheddar-pod"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := quizzed(t, tc.quiz, page())
			question, err := s.Pose(t.Context())
			want := slices.Concat(tc.quiz.Choices, tc.choicesOfCluster)
			if err != nil || question.Text != "What?" || !slices.Equal(question.Choices, want) {
				t.Errorf("question %+v, %v; want choices %v", question, err, want)
			}
			for _, choice := range []string{tc.right, tc.wrong} {
				if choice == "" {
					continue
				}
				want := lab.Grade{Choice: choice, Truth: tc.right, Right: choice == tc.right, Why: "Because.", Evidence: tc.evidence}
				if grade, err := s.Grade(t.Context(), choice); err != nil || grade != want {
					t.Errorf("grade of %q:\n%+v, %v, want\n%+v", choice, grade, err, want)
				}
			}
		})
	}
}

// The pods are in two slices. One pod is in both, and one is not ready.
func TestChoicesAreReadyPods(t *testing.T) {
	t.Parallel()
	l := hostRouting(t)
	l.Quiz = request("pod")
	l.Quiz.PodsOf = "gouda"
	c, env := environment(t)
	s := begun(t, l, env)
	if _, err := s.Pose(t.Context()); err == nil || !strings.Contains(err.Error(), "service gouda has no ready pods") {
		t.Errorf("without pods: %v", err)
	}
	endpoint := func(pod string, ready *bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{Conditions: discoveryv1.EndpointConditions{Ready: ready}, TargetRef: &corev1.ObjectReference{Name: pod}}
	}
	yes, no := true, false
	for name, endpoints := range map[string][]discoveryv1.Endpoint{
		"a": {endpoint("pod-3", &yes), endpoint("pod-4", &no), {Addresses: []string{"10.0.0.9"}}},
		"b": {endpoint("pod-1", nil), endpoint("pod-3", &yes)},
	} {
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "lab-1",
				Labels: map[string]string{discoveryv1.LabelServiceName: "gouda"}}, Endpoints: endpoints,
		}
		if _, err := c.Clientset().DiscoveryV1().EndpointSlices("lab-1").Create(t.Context(), slice, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if question, err := s.Pose(t.Context()); err != nil || !slices.Equal(question.Choices, []string{"pod-1", "pod-3"}) {
		t.Errorf("choices %v, %v", question.Choices, err)
	}
}

func TestGradeErrors(t *testing.T) {
	t.Parallel()
	gone := request("status", "200", "404")
	gone.Before = asks(quizURL, http.StatusTeapot)
	gone.Before[0].Expect.Within = scenario.Duration(1)
	missing := &lab.Quiz{Object: "service/gouda", JSONPath: "{.spec.type}", Choices: []string{"a", "b"}}
	for name, tc := range map[string]struct {
		quiz   *lab.Quiz
		choice string
		want   string
	}{
		"unknown choice": {request("status", "200", "404"), "500", `"500" is not one of the choices: 200, 404`},
		"answer not a choice": {request("status", "301", "404"), "404",
			`the answer from the cluster, "200", is not one of the choices (301, 404)`},
		"missing header":     {request("header Age", "1", "2"), "1", `the answer from the cluster, "", is not one of the choices (1, 2)`},
		"failed step before": {gone, "200", "expected 418"},
		"missing object":     {missing, "a", "not found"},
		"unknown part":       {request("color", "red", "blue"), "red", `unknown part "color" of a response`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if grade, err := quizzed(t, tc.quiz, page()).Grade(t.Context(), tc.choice); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%+v, %v; want an error with %q", grade, err, tc.want)
			}
		})
	}
	s := quizzed(t, nil, page())
	if _, err := s.Pose(t.Context()); !errors.Is(err, lab.ErrNoQuiz) {
		t.Errorf("Pose without a quiz: %v", err)
	}
	if _, err := s.Grade(t.Context(), "200"); !errors.Is(err, lab.ErrNoQuiz) {
		t.Errorf("Grade without a quiz: %v", err)
	}
	if grade, err := quizzed(t, request("status", "200", "404"),
		probe.Observation{Err: errors.New("nothing listens")}).Grade(t.Context(), "200"); err == nil {
		t.Errorf("grade without a response: %+v", grade)
	}
}
