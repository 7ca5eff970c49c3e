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
