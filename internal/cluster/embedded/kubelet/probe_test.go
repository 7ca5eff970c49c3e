package kubelet

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
)

// answers serves one HTTP request per connection with the status code, and stores the request.
func answers(code *atomic.Int64, last *atomic.Pointer[http.Request]) func(net.Conn) {
	return func(c net.Conn) {
		defer func() { _ = c.Close() }()
		request, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		last.Store(request)
		response := http.Response{StatusCode: int(code.Load()), ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader("")),
			Close: true}
		_ = response.Write(c)
	}
}

func get(path string) corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http")}}
}

func withProbes(edit func(*corev1.Container)) *corev1.Pod {
	return webPod(func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
		edit(c)
	})
}

func TestReadinessProbeSetsReady(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		var code atomic.Int64
		var last atomic.Pointer[http.Request]
		code.Store(503)
		l.node.answer("10.244.1.2:8080", answers(&code, &last))
		l.create(withProbes(func(c *corev1.Container) {
			c.ReadinessProbe = &corev1.Probe{ProbeHandler: get("/ready?deep=1"), PeriodSeconds: 2, FailureThreshold: 2, SuccessThreshold: 1}
			c.ReadinessProbe.HTTPGet.HTTPHeaders = []corev1.HTTPHeader{{Name: "host", Value: "shop.test"}, {Name: "X-A", Value: "1"}}
		}))
		l.after(5 * time.Second)
		if c := l.container("web", "web"); c.Ready || !*c.Started || c.State.Running == nil {
			t.Errorf("with status 503: %+v", c)
		}
		l.wantEvent("Warning Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503")
		if r := last.Load(); r.URL.String() != "/ready?deep=1" || r.Host != "shop.test" || r.Header.Get("X-A") != "1" ||
			r.UserAgent() != "kube-probe/1.36" || r.Header.Get("Accept") != "*/*" {
			t.Errorf("request: %+v", r)
		}
		code.Store(204)
		l.after(2 * time.Second)
		if c := l.container("web", "web"); !c.Ready {
			t.Errorf("with status 204: %+v", c)
		}
		code.Store(404)
		l.after(2 * time.Second)
		if c := l.container("web", "web"); !c.Ready {
			t.Errorf("after one failure of two: %+v", c)
		}
		l.after(2 * time.Second)
		if pod := l.pod("web"); condition(pod.Status.Conditions, corev1.PodReady).Message != "containers with unready status: [web]" {
			t.Errorf("after two failures of two: %+v", pod.Status.Conditions)
		}
		if c := l.container("web", "web"); c.RestartCount != 0 {
			t.Errorf("the readiness probe restarted the container: %+v", c)
		}
	})
}

// A container that starts to listen after the first probe is ready before the next period.
func TestFirstProbesRepeatEarly(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		var code atomic.Int64
		var last atomic.Pointer[http.Request]
		code.Store(200)
		time.AfterFunc(300*time.Millisecond, func() { l.node.answer("10.244.1.2:8080", answers(&code, &last)) })
		l.create(withProbes(func(c *corev1.Container) {
			c.ReadinessProbe = &corev1.Probe{ProbeHandler: get("/"), PeriodSeconds: 30}
		}))
		l.after(time.Second)
		if c := l.container("web", "web"); !c.Ready {
			t.Errorf("container: %+v", c)
		}
		if all := l.events(); slices.ContainsFunc(all, func(e string) bool { return strings.Contains(e, "Unhealthy") }) {
			t.Errorf("events: %q", all)
		}
	})
}

func TestLivenessProbeRestartsContainer(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{stubborn: true})
		grace := int64(3)
		l.create(withProbes(func(c *corev1.Container) {
			c.LivenessProbe = &corev1.Probe{
				ProbeHandler:        corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}},
				InitialDelaySeconds: 5, PeriodSeconds: 5, FailureThreshold: 2, TerminationGracePeriodSeconds: &grace,
			}
		}))
		l.after(9 * time.Second)
		if got := l.runtime.latest("web").got(); len(got) != 0 {
			t.Errorf("signals before the threshold: %v", got)
		}
		l.after(1500 * time.Millisecond)
		if c := l.container("web", "web"); c.State.Running == nil || c.RestartCount != 0 {
			t.Errorf("within the probe's grace period: %+v", c)
		}
		l.wantEvent("Normal Killing: Container web failed liveness probe, will be restarted")
		l.after(3 * time.Second)
		if c := l.container("web", "web"); c.State.Running == nil || c.RestartCount != 1 || c.LastTerminationState.Terminated.ExitCode != 137 {
			t.Errorf("after the probe's grace period: %+v", c)
		}
		l.wantEvent("Warning Unhealthy: Liveness probe failed: dial tcp: connect: connection refused")
	})
}

// No other probe runs before the startup probe succeeds.
func TestStartupProbeDelaysOtherProbes(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		var code atomic.Int64
		var last atomic.Pointer[http.Request]
		code.Store(200)
		l.create(withProbes(func(c *corev1.Container) {
			c.StartupProbe = &corev1.Probe{ProbeHandler: get("/"), PeriodSeconds: 1, FailureThreshold: 60}
			c.LivenessProbe = &corev1.Probe{ProbeHandler: get("/"), PeriodSeconds: 1, FailureThreshold: 1}
		}))
		l.after(20 * time.Second)
		if c := l.container("web", "web"); *c.Started || c.Ready || c.RestartCount != 0 {
			t.Errorf("before the startup: %+v", c)
		}
		l.node.answer("10.244.1.2:8080", answers(&code, &last))
		l.after(2 * time.Second)
		if c := l.container("web", "web"); !*c.Started || !c.Ready {
			t.Errorf("after the startup: %+v", c)
		}
		code.Store(500)
		l.after(2 * time.Second)
		if c := l.container("web", "web"); c.RestartCount != 1 {
			t.Errorf("after a later failure: %+v", c)
		}
	})
}

func TestExecProbeOutcome(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		c := target{node: l.node, spec: &corev1.Container{Name: "web"}, version: "1.36"}
		probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"cat", "/ready"}}}, TimeoutSeconds: 2}
		for _, e := range []struct {
			exec func(context.Context, container.Exec) (int, error)
			want outcome
		}{
			{func(context.Context, container.Exec) (int, error) { return 0, nil }, outcome{ok: true}},
			{func(_ context.Context, e container.Exec) (int, error) {
				_, _ = io.WriteString(e.Stderr, "no such file")
				return 1, nil
			}, outcome{note: "no such file"}},
			{func(ctx context.Context, _ container.Exec) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			}, outcome{note: `command timed out: "cat /ready" timed out after 2s`}},
		} {
			c.container = &fakeContainer{exec: e.exec}
			if got := c.check(l.t.Context(), probe); got != e.want {
				t.Errorf("got %+v, want %+v", got, e.want)
			}
		}
	})
}

// A redirect to another host is not followed. It is a success with a warning.
func TestRedirectToOtherHostIsWarning(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.node.answer("10.244.1.2:8080", func(c net.Conn) {
			defer func() { _ = c.Close() }()
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			}
		})
		l.create(withProbes(func(c *corev1.Container) { c.ReadinessProbe = &corev1.Probe{ProbeHandler: get("/"), PeriodSeconds: 1} }))
		l.after(time.Second)
		if c := l.container("web", "web"); !c.Ready {
			t.Errorf("container: %+v", c)
		}
		l.wantEvent("Warning ProbeWarning: Readiness probe warning: Probe terminated redirects, Response body: ")
	})
}

// The readiness probe still runs while a pod terminates, because clients still connect.
func TestReadinessProbeRunsDuringTermination(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{stubborn: true})
		var code atomic.Int64
		var last atomic.Pointer[http.Request]
		code.Store(200)
		l.node.answer("10.244.1.2:8080", answers(&code, &last))
		l.create(withProbes(func(c *corev1.Container) {
			c.ReadinessProbe = &corev1.Probe{ProbeHandler: get("/"), PeriodSeconds: 1, FailureThreshold: 1}
			c.LivenessProbe = c.ReadinessProbe
		}))
		l.delete("web", 30)
		l.after(5 * time.Second)
		if c := l.container("web", "web"); !c.Ready {
			t.Errorf("while it responds: %+v", c)
		}
		code.Store(500)
		l.after(3 * time.Second)
		if c := l.container("web", "web"); c.Ready || c.State.Running == nil {
			t.Errorf("after it stopped responding: %+v", c)
		}
	})
}

// A deletion shortens the grace period of a failed probe.
func TestDeletionShortensProbeGracePeriod(t *testing.T) {
	withNode(t, nil, func(l *rig) {
		l.runtime.does("web", program{stubborn: true})
		l.create(withProbes(func(c *corev1.Container) {
			c.LivenessProbe = &corev1.Probe{ProbeHandler: get("/"), PeriodSeconds: 1, FailureThreshold: 1}
		}))
		l.after(2 * time.Second)
		if got := l.runtime.latest("web").got(); len(got) != 1 {
			t.Errorf("signals after the probe: %v", got)
		}
		l.delete("web", 2)
		l.after(2100 * time.Millisecond)
		if l.pod("web") != nil {
			t.Error("pod still exists")
		}
	})
}
