package benchmark

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	restartTimeout = 5 * time.Minute // of the controller
	// askInterval and lookInterval are the measurement errors of the two values in Sync.
	askInterval  = 2 * time.Millisecond
	lookInterval = 20 * time.Millisecond
)

// Sync is the start time of a controller in a full cluster, in seconds from its first log line.
type Sync struct {
	// FirstRequest is the time until a request succeeds, Ready the time until the API reports the pod as Ready.
	FirstRequest float64 `json:"firstRequestSeconds"`
	Ready        float64 `json:"readySeconds"`
}

// restart deletes the controller's pod and measures its replacement.
func (s *bench) restart(ctx context.Context) (sync Sync, err error) {
	_, done := s.Progress.Begin("Restarting the controller")
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, restartTimeout)
	defer cancel()
	old := s.pod
	pods := s.client.CoreV1().Pods(old.Namespace)
	if err := pods.Delete(ctx, old.Name, metav1.DeleteOptions{}); err != nil {
		return sync, fmt.Errorf("delete pod %s/%s: %w", old.Namespace, old.Name, err)
	}
	// The old pod serves during its grace period, so the measurement starts after its removal.
	if _, err := s.awaitController(ctx, func(now *corev1.Pod) bool { return now == nil || now.UID != old.UID }); err != nil {
		return sync, err
	}
	type served struct {
		at  time.Time
		err error
	}
	first := make(chan served, 1)
	go func() {
		at, err := s.browser.until(ctx, hostOf(s.Ingresses-1), askInterval, func(string) bool { return true })
		first <- served{at, err}
	}()
	s.pod, err = s.awaitController(ctx, func(now *corev1.Pod) bool { return now != nil && now.UID != old.UID && podReady(now) })
	ready := time.Now()
	if err != nil {
		cancel()
		<-first
		return sync, err
	}
	routed := <-first
	if routed.err != nil {
		return sync, fmt.Errorf("the new controller is Ready but routes no request: %w", routed.err)
	}
	start, err := startOf(ctx, s.client, s.podName())
	if err != nil {
		return sync, err
	}
	return Sync{FirstRequest: routed.at.Sub(start).Seconds(), Ready: ready.Sub(start).Seconds()}, nil
}

// awaitController waits until wanted accepts the controller's pod on the node of s.pod. The pod is nil if none exists.
func (s *bench) awaitController(ctx context.Context, wanted func(*corev1.Pod) bool) (*corev1.Pod, error) {
	node := s.pod.Spec.NodeName
	for {
		list, err := s.client.CoreV1().Pods(s.pod.Namespace).List(ctx, metav1.ListOptions{
			LabelSelector: controllerSelector, FieldSelector: "spec.nodeName=" + node,
		})
		if err != nil {
			return nil, fmt.Errorf("controller: %w", err)
		}
		var now *corev1.Pod
		if len(list.Items) > 0 {
			now = &list.Items[0]
		}
		if wanted(now) {
			return now, nil
		}
		if err := pause(ctx, lookInterval); err != nil {
			return nil, fmt.Errorf("controller on node %s: %w", node, err)
		}
	}
}

func podReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// podName returns the name of the measured controller.
func (s *bench) podName() types.NamespacedName {
	return types.NamespacedName{Namespace: s.pod.Namespace, Name: s.pod.Name}
}

const (
	controllerSelector = "app.kubernetes.io/name=ingress-controller,app.kubernetes.io/component=controller"
	controlPlaneLabel  = "node-role.kubernetes.io/control-plane"
	metricsPort        = 10254
)

// Names of metrics. docs/metrics.md lists those of the controller.
const (
	metricBuild  = "ingresslab_table_build_duration_seconds"
	metricRoutes = "ingresslab_table_routes"
	metricCPU    = "process_cpu_seconds_total"
	metricRSS    = "process_resident_memory_bytes"
	metricHeap   = "go_memstats_heap_inuse_bytes"
)

// controllers returns the controller's pods. The first runs on the control plane, where requests from this machine arrive.
func controllers(ctx context.Context, client kubernetes.Interface) ([]corev1.Pod, error) {
	list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: controllerSelector})
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	entries, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: controlPlaneLabel})
	if err != nil {
		return nil, fmt.Errorf("controller: nodes: %w", err)
	}
	var first, others []corev1.Pod
	for _, pod := range list.Items {
		if len(entries.Items) > 0 && pod.Spec.NodeName == entries.Items[0].Name && pod.DeletionTimestamp == nil {
			first = append(first, pod)
		} else {
			others = append(others, pod)
		}
	}
	if all := slices.Concat(first, others); len(all) > 0 {
		return all, nil
	}
	return nil, fmt.Errorf("no pod has the labels %s; run `ingresslab up` to install the controller", controllerSelector)
}

// reading is a sample of the controller's metrics.
type reading struct {
	at            time.Time
	cpu           float64 // seconds so far
	rss, heap     float64 // bytes
	routes        float64
	builds        *dto.Histogram
	scrapeElapsed time.Duration
}

// read gets a controller's metrics through the API server. Each response contains metrics of all endpoints, which costs CPU time,
// so call it rarely.
func read(ctx context.Context, client kubernetes.Interface, pod types.NamespacedName) (reading, error) {
	began := time.Now()
	request := client.CoreV1().RESTClient().Get().Namespace(pod.Namespace).Resource("pods").
		Name(fmt.Sprintf("%s:%d", pod.Name, metricsPort)).SubResource("proxy").Suffix("metrics").
		SetHeader("Accept", "text/plain")
	for _, name := range []string{metricBuild, metricRoutes, metricCPU, metricRSS, metricHeap} {
		request.Param("name[]", name)
	}
	body, err := request.DoRaw(ctx)
	if err != nil {
		return reading{}, fmt.Errorf("metrics of pod %s: %w", pod, err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return reading{}, fmt.Errorf("metrics of pod %s: %w", pod, err)
	}
	now := time.Now()
	r := reading{at: now, scrapeElapsed: now.Sub(began)}
	for name, value := range map[string]*float64{metricCPU: &r.cpu, metricRSS: &r.rss, metricHeap: &r.heap, metricRoutes: &r.routes} {
		metrics := families[name].GetMetric()
		if len(metrics) == 0 {
			return reading{}, fmt.Errorf("metrics of pod %s: %s is missing", pod, name)
		}
		*value = metrics[0].GetGauge().GetValue() + metrics[0].GetCounter().GetValue() // one of them is nil
	}
	if metrics := families[metricBuild].GetMetric(); len(metrics) > 0 {
		r.builds = metrics[0].GetHistogram()
	}
	return r, nil
}

// startOf returns the time of a controller's first log line, a few milliseconds after the start of its process. The start times in
// the pod's status and in the metrics have a resolution of one second.
func startOf(ctx context.Context, client kubernetes.Interface, pod types.NamespacedName) (time.Time, error) {
	limit := int64(1024)
	text, err := client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Timestamps: true, LimitBytes: &limit}).DoRaw(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("log of pod %s: %w", pod, err)
	}
	line, _, _ := bufio.NewReader(bytes.NewReader(text)).ReadLine()
	stamp, _, _ := strings.Cut(string(line), " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return time.Time{}, fmt.Errorf("log of pod %s: the first line has no timestamp: %w", pod, err)
	}
	return at, nil
}
