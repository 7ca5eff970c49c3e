package scenario

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ingresslab/ingresslab/internal/probe"
)

// answers is a Prober that gives so many answers with a status, and is silent from then on.
type answers struct {
	status, left int
}

func (a *answers) Do(ctx context.Context, request probe.Request) probe.Observation {
	if a.left == 0 {
		<-ctx.Done()
		return probe.Observation{Method: http.MethodGet, URL: request.URL, Err: ctx.Err()}
	}
	a.left--
	return probe.Observation{Method: http.MethodGet, URL: request.URL, Status: a.status}
}

// On a busy machine the time is over before a check was looked at three times. What was seen until
// then is the answer, and that nothing was seen says so.
func TestExpectFailureOnSlowMachine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prober *answers
		want   Outcome
		says   string
	}{
		"refuted once":  {&answers{status: http.StatusNotFound, left: 1}, Failed, "expected 200"},
		"held once":     {&answers{status: http.StatusOK, left: 1}, Passed, ""},
		"never a look":  {&answers{}, Broken, "no poll of the check ended within 15s"},
		"refuted often": {&answers{status: http.StatusNotFound, left: 100}, Failed, "expected 200"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				check := []Step{{Expect: &Expect{URL: "http://pool.test/", Status: http.StatusOK}}}
				report := ExpectFailure(t.Context(), Env{HTTP: test.prober}, "lab", check, 15*time.Second)
				if report.Outcome != test.want || !strings.Contains(report.Why(), test.says) {
					t.Errorf("%s (%s), and expected were %s (%s)", report.Outcome, report.Why(), test.want, test.says)
				}
			})
		})
	}
}

// What has a name alone, as the task of a lab, is called by it.
func TestStepTitle(t *testing.T) {
	t.Parallel()
	for want, step := range map[string]StepReport{
		"named: GET /": {Name: "named", Text: "GET /"}, "GET /": {Text: "GET /"}, "the task": {Name: "the task"},
	} {
		if got := step.Title(); got != want {
			t.Errorf("%q, and expected was %q", got, want)
		}
	}
}
