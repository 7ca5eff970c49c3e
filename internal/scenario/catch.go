package scenario

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ingresslab/ingresslab/internal/explain"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// Limits of what a report shows: enough to see the reason, short enough to read.
const (
	maxExplanation = 30
	maxLogPods     = 3
	maxPodLines    = 5
	maxController  = 8
	maxLineLength  = 400

	// controllerTail is how many of a controller's last log lines are searched. controllerSince is
	// their maximum age in seconds.
	controllerTail  = 3000
	controllerSince = 180
	logBytes        = 1 << 20
)

// PodLog has the last log lines of a pod.
type PodLog struct {
	Pod   string   `json:"pod"`
	Lines []string `json:"lines"`
}

// explanation asks the controller how it would route the request, and adds the answer to d.
func (r *runner) explanation(ctx context.Context, d *Diagnostics, request *Expect) error {
	if request == nil || r.env.Controller == nil {
		return nil
	}
	text, err := explain.Ask(ctx, r.env.Controller, r.query(request), explain.Text)
	d.Explanation = firstLines(text, maxExplanation)
	return err
}

// query converts the request of a step to a request for the controller's explanation.
func (r *runner) query(request *Expect) explain.Request {
	q := explain.Request{URL: r.names.url(request.URL), Method: request.Method}
	for _, name := range slices.Sorted(maps.Keys(request.Header)) {
		q.Headers = append(q.Headers, name+": "+r.names.text(request.Header[name]))
	}
	return q
}

func firstLines(text string, n int) []string {
	lines := linesOf(text)
	if len(lines) > n {
		return append(lines[:n-1:n-1], "...")
	}
	return lines
}

// linesOf returns the nonempty lines of a text. It shortens very long lines.
func linesOf(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" {
			continue
		}
		if len(line) > maxLineLength {
			line = strings.ToValidUTF8(line[:maxLineLength], "") + "..."
		}
		lines = append(lines, line)
	}
	return lines
}

// podLogs collects the last lines of unready pods, and then of the endpoints of the reported
// Services.
func (r *runner) podLogs(ctx context.Context, d *Diagnostics) error {
	pods, err := r.env.Kube.Clientset().CoreV1().Pods(r.names.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	serving, err := r.servingPods(ctx, d.Services)
	if err != nil {
		return err
	}
	rank := func(p *corev1.Pod) int {
		switch {
		case kube.PodTrouble(p) != "":
			return 0
		case serving[p.Name]:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(pods.Items, func(a, b corev1.Pod) int { return cmp.Compare(rank(&a), rank(&b)) })
	for i := range pods.Items {
		pod := &pods.Items[i]
		if len(d.Logs) == maxLogPods || rank(pod) == 2 {
			break
		}
		// A pod that has not started has no log; Diagnostics.Pods has the reason.
		if lines := r.tail(ctx, pod, maxPodLines, 0); len(lines) > 0 {
			d.Logs = append(d.Logs, PodLog{pod.Name, lines[max(0, len(lines)-maxPodLines):]})
		}
	}
	return nil
}

// servingPods returns the names of the endpoint pods of the Services.
func (r *runner) servingPods(ctx context.Context, services []ServiceState) (map[string]bool, error) {
	slices, err := r.env.Kube.Clientset().DiscoveryV1().EndpointSlices(r.names.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	shown, pods := map[string]bool{}, map[string]bool{}
	for _, s := range services {
		shown[s.Name] = true
	}
	for _, slice := range slices.Items {
		if !shown[slice.Labels[discoveryv1.LabelServiceName]] {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if endpoint.TargetRef != nil {
				pods[endpoint.TargetRef.Name] = true
			}
		}
	}
	return pods, nil
}

// tail returns the last lines of a pod's first container, or of the previous run of a crashed
// container. since limits the age of the lines in seconds; 0 sets no limit.
func (r *runner) tail(ctx context.Context, pod *corev1.Pod, lines, since int64) []string {
	limit := int64(logBytes)
	options := &corev1.PodLogOptions{TailLines: &lines, LimitBytes: &limit}
	if since > 0 {
		options.SinceSeconds = &since
	}
	if len(pod.Spec.Containers) > 0 {
		options.Container = pod.Spec.Containers[0].Name
	}
	if s := pod.Status.ContainerStatuses; len(s) > 0 && s[0].State.Running == nil && s[0].RestartCount > 0 {
		options.Previous = true
	}
	text, err := r.env.Kube.Clientset().CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).DoRaw(ctx)
	if err != nil {
		return nil
	}
	return linesOf(string(text))
}

// controllerLogs collects the controller's log lines about the run's namespace or the request's
// host.
func (r *runner) controllerLogs(ctx context.Context, d *Diagnostics, host string) error {
	pods, err := r.env.Kube.Clientset().CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: explain.Controller})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		about := slices.DeleteFunc(r.tail(ctx, pod, controllerTail, controllerSince), func(line string) bool {
			return !strings.Contains(line, r.names.namespace) && (host == "" || !strings.Contains(line, host))
		})
		if len(about) > 0 {
			d.Logs = append(d.Logs, PodLog{pod.Namespace + "/" + pod.Name, about[max(0, len(about)-maxController):]})
		}
	}
	return nil
}
