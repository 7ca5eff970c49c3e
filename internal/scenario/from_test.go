package scenario_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// TestExpectSendsRequestFromPod has the pod's program answer in this process.
func TestExpectSendsRequestFromPod(t *testing.T) {
	c, http := fakecluster.New(t)
	running(t, c, "net-test", "")
	node(t, c, "a", "10.9.0.1", nil)
	node(t, c, "b", "10.9.0.2", nil)
	var asked []string
	execs := 0
	c.OnExec = func(command kube.Command) (kube.Output, error) {
		if !slices.Equal(command.Args[:2], []string{"/workload", "probe"}) || command.Pod != "net-test" {
			return kube.Output{ExitCode: 2, Stderr: []byte("no such command")}, nil
		}
		execs++
		var out kube.Output
		for _, request := range command.Args[2:] {
			asked = append(asked, request)
			line := `{"status":200,"header":{"X-App":["web"]},"duration":5000000}`
			if strings.Contains(request, "10.9.0.2:9999") {
				line = `{"error":"nothing listens at 10.9.0.2:9999"}`
			}
			out.Stdout = append(out.Stdout, line+"\n"...)
		}
		return out, nil
	}
	passes(t, playSteps(t, c, http, netTestPod+"- expect: {url: http://shop.test/, from: net-test, connectTo: \"node:80\", app: web}\n"))
	if got := strings.Join(asked, "\n"); strings.Count(got, `"address":"10.9.0.1:80"`) != 3 || !strings.Contains(got,
		`"url":"http://shop.r1.test/"`) {
		t.Errorf("asked\n%s", got)
	}
	if execs != 1 {
		t.Errorf("%d execs for three requests to each of two nodes, want one for all", execs)
	}
	for step, want := range map[string]string{
		`{url: http://shop.test/, from: net-test, connectTo: "node:9999", status: 200, within: 300ms}`: "answer: expected one, " +
			"observed nothing listens at 10.9.0.2:9999 at node b",
		`{url: http://shop.test/, from: net-test, connectTo: "node/b:80", status: 404, within: 300ms}`: "status: expected 404 Not Found, " +
			"observed 200 OK at node b (10.9.0.2:80)",
		`{url: http://shop.test/, from: net-test, connectTo: "node/c:80", status: 200, within: 300ms}`: "to node/c:80: " +
			"no node c has an address",
		`{url: http://shop.test/, from: net-test, status: 200, latency: 4ms, within: 300ms}`: "latency: expected at most 4ms, " +
			"observed 5ms",
		`{url: http://shop.test/, from: deployment/web, status: 200, within: 300ms}`: "from deployment/web: ",
	} {
		if report := playSteps(t, c, http, netTestPod+"- expect: "+step+"\n"); report.Outcome != scenario.Failed ||
			!strings.Contains(report.Reason, want) {
			t.Errorf("%s: %s: %s; want %s", step, report.Outcome, report.Reason, want)
		}
	}
}

// TestExpectPrefersAgentToExec has the pod's agent in this process, and exec as what is left where
// there is none.
func TestExpectPrefersAgentToExec(t *testing.T) {
	c, http := fakecluster.New(t)
	running(t, c, "net-test", "")
	const line = `{"status":200,"header":{"X-App":["web"]}}` + "\n"
	agent := kube.Answer{Status: 200, Body: []byte(strings.Repeat(line, 3))}
	c.OnPost = func(pod, path string, query url.Values) kube.Answer {
		if pod != "net-test" || path != probe.AgentPath || len(query[probe.AgentRequest]) != 3 {
			t.Errorf("asked %s at %s: %v", pod, path, query)
		}
		return agent
	}
	execs := 0
	c.OnExec = func(command kube.Command) (kube.Output, error) {
		execs++
		return kube.Output{Stdout: []byte(strings.Repeat(line, len(command.Args)-2))}, nil
	}
	const step = netTestPod + "- expect: {url: http://shop.test/, from: net-test, app: web}\n"
	passes(t, playSteps(t, c, http, step))
	if execs != 0 {
		t.Errorf("%d execs, though the agent answers", execs)
	}
	for name, answer := range map[string]kube.Answer{
		"no listener": {Status: 503, Body: []byte("no route")}, "another listener": {Status: 200, Body: []byte("hello")},
	} {
		agent, execs = answer, 0
		passes(t, playSteps(t, c, http, step))
		if execs != 1 {
			t.Errorf("%s: %d execs", name, execs)
		}
	}
}
