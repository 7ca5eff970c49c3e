package scenario_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// talker is a controller that explains what it is asked, word by word.
type talker struct{}

func (talker) AskPod(_ context.Context, _, _, path string, query url.Values, _ string) (*kube.Answer, error) {
	return &kube.Answer{Status: http.StatusOK,
		Body: []byte("asked at " + path + "\nabout " + query.Get("url") + " with " + query.Get("header") + "\n")}, nil
}

func TestFailureHasControllerExplanation(t *testing.T) {
	s := load(t, "- apply: web.yaml\n- traffic: {url: http://web.test/, header: {A: b}, requests: 3, expect: {statuses: [404]}}\n")
	c, client := fakecluster.New(t)
	report, err := scenario.Run(t.Context(), s, scenario.Env{Kube: c, HTTP: client, Run: "r1", Controller: talker{}})
	if err != nil {
		t.Fatal(err)
	}
	var text, junit strings.Builder
	scenario.NewPretty(&text, scenario.Style{}).StepDone(report.Steps[1])
	if err := scenario.WriteJUnit(&junit, []*scenario.Report{report}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"the controller explains:", "about http://web.r1.test/ with A: b", "statuses  expected 404",
		"ingress web:"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(junit.String(), want) {
			t.Errorf("%q is missing:\n%s\n%s", want, text.String(), junit.String())
		}
	}
}

// TestLostClusterIsBroken ends the API server, or takes the namespace away, while a step looks.
// What was seen before that stays in the report.
func TestLostClusterIsBroken(t *testing.T) {
	const steps = "- apply: web.yaml\n- expect: {url: http://web.test/, status: 404, within: 300ms}\n- apply: web.yaml\n"
	const seen = "; before that, status: expected 404 Not Found, observed 200 OK"
	for name, tc := range map[string]struct {
		lose func(*fakecluster.Cluster)
		want string
	}{
		"no API server": {func(c *fakecluster.Cluster) {
			c.Clientset().(*fake.Clientset).PrependReactor("*", "*", func(kubetesting.Action) (bool, runtime.Object, error) {
				return true, nil, errors.New("connection refused")
			})
		}, "the API server no longer responds: connection refused" + seen},
		"no namespace": {func(c *fakecluster.Cluster) {
			_ = c.DeleteNamespace(context.Background(), "lab-example-r1", true)
		}, "namespace lab-example-r1 was deleted during the run; run the scenario again" + seen},
	} {
		t.Run(name, func(t *testing.T) {
			c, client := fakecluster.New(t)
			ingress := &script{answer: func(n int, r probe.Request) probe.Observation {
				if n == 2 {
					tc.lose(c)
				}
				if n > 2 {
					return probe.Observation{Err: errors.New("nothing listens")}
				}
				return client.Do(t.Context(), r)
			}}
			report, err := scenario.Run(t.Context(), load(t, steps), scenario.Env{Kube: c, HTTP: ingress, Run: "r1"})
			if err == nil || report.Outcome != scenario.Broken || outcomes(report) != "passed broken skipped" || report.Steps[1].Why() != tc.want {
				t.Errorf("%s: %s, %v\n%s\nwant %s", report.Outcome, outcomes(report), err, report.Steps[1].Why(), tc.want)
			}
		})
	}
}
