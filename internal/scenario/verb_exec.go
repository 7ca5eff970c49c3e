package scenario

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// Exec runs a program in a container and checks its output.
type Exec struct {
	// The pod that runs the program, such as net-test, or a workload whose first ready pod runs it,
	// such as deployment/web.
	Pod string `yaml:"pod" jsonschema:"required"`
	// Name of the container, if there are several.
	Container string `yaml:"container,omitempty"`
	// The program and its arguments. No shell interprets them.
	Command Strings `yaml:"command" jsonschema:"required,minItems=1"`
	// The exit code, 0 if not given.
	ExitCode int `yaml:"exitCode,omitempty" jsonschema:"minimum=0,maximum=255"`
	// Texts that are in the program's standard output or standard error.
	Contains Strings `yaml:"contains,omitempty"`
	// Texts that are not in the output.
	NotContains Strings `yaml:"notContains,omitempty"`
	// How long to repeat the program until the output is as expected. If not given, it runs once.
	Within Duration `yaml:"within,omitempty"`
}

func (e Exec) validate(c *checker, path string) {
	switch {
	case e.Pod == "":
		c.fault(path+".pod", "is missing")
	case strings.Contains(e.Pod, "/"):
		c.workload(path+".pod", e.Pod, "deployment", "daemonset", "statefulset", "replicaset", "pod")
	}
	if len(e.Command) == 0 {
		c.fault(path+".command", "is missing")
	}
	if e.ExitCode < 0 || e.ExitCode > 255 {
		c.fault(path+".exitCode", "%d is not an exit code (0 to 255)", e.ExitCode)
	}
}

func (Exec) validateInCheck(*checker, string) {}

func (e Exec) traits() traits { return traits{pod: fieldRef{"pod", e.Pod}} }

func (Exec) streak() int { return 1 }

func (e Exec) describe(names isolation) string {
	text := fmt.Sprintf("run %s in %s", strings.Join(names.texts(e.Command), " "), e.Pod)
	var parts []string
	if e.ExitCode != 0 {
		parts = append(parts, fmt.Sprintf("exits with %d", e.ExitCode))
	}
	for _, part := range names.texts(e.Contains) {
		parts = append(parts, fmt.Sprintf("writes %q", part))
	}
	for _, part := range names.texts(e.NotContains) {
		parts = append(parts, fmt.Sprintf("does not write %q", part))
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}

// maxShown limits the output that a mismatch shows.
const maxShown = 300

func (e Exec) run(ctx context.Context, r *runner, report *StepReport) error {
	if e.Within == 0 {
		c := convergence{}
		l := e.poll(ctx, r)
		c.add(l, false)
		c.held = l.holds()
		return report.settle(c, Failed)
	}
	c := converge(ctx, r.polling(e.Within, 0, 1, report), func(ctx context.Context) pollResult { return e.poll(ctx, r) })
	return report.settle(c, Failed)
}

func (e Exec) poll(ctx context.Context, r *runner) pollResult {
	pod, err := r.podOf(ctx, e.Pod, "")
	switch {
	case apierrors.IsNotFound(err):
		return differs("object", e.Pod, "not found")
	case err != nil:
		return pollResult{err: err}
	}
	output, err := r.env.Kube.Exec(ctx, kube.Command{
		Namespace: pod.Namespace, Pod: pod.Name, Container: e.Container, Args: r.names.texts(e.Command),
	})
	if err != nil {
		return pollResult{err: err}
	}
	return pollResult{mismatches: e.compare(output, r.names)}
}

func (e Exec) compare(output kube.Output, names isolation) []probe.Mismatch {
	var all []probe.Mismatch
	said := append(bytes.Clone(output.Stdout), output.Stderr...)
	if output.ExitCode != e.ExitCode {
		all = append(all, probe.Mismatch{
			Field: "exit code", Expected: strconv.Itoa(e.ExitCode), Observed: fmt.Sprintf("%d, and it wrote %s", output.ExitCode, shown(said)),
		})
	}
	for _, text := range names.texts(e.Contains) {
		if !bytes.Contains(said, []byte(text)) {
			all = append(all, probe.Mismatch{Field: "output", Expected: "to contain " + strconv.Quote(text), Observed: shown(said)})
		}
	}
	for _, text := range names.texts(e.NotContains) {
		if bytes.Contains(said, []byte(text)) {
			all = append(all, probe.Mismatch{Field: "output", Expected: "not to contain " + strconv.Quote(text), Observed: shown(said)})
		}
	}
	return all
}

func shown(said []byte) string {
	text := strings.TrimSpace(string(said))
	switch runes := []rune(text); {
	case text == "":
		return "nothing"
	case len(runes) > maxShown:
		text = string(runes[:maxShown]) + "…"
	}
	return strconv.Quote(text)
}

// podOf returns a pod by its name, or any ready pod of a workload by KIND/NAME.
func (r *runner) podOf(ctx context.Context, target, namespace string) (*corev1.Pod, error) {
	kind, name, isWorkload := strings.Cut(target, "/")
	if !isWorkload || strings.EqualFold(kind, "pod") {
		if !isWorkload {
			name = target
		}
		return r.env.Kube.Clientset().CoreV1().Pods(r.namespace(namespace)).Get(ctx, name, metav1.GetOptions{})
	}
	pods, err := r.podsOf(ctx, target, namespace)
	if err != nil {
		return nil, err
	}
	if len(pods) == 0 {
		return nil, fmt.Errorf("%s has no ready pod", target)
	}
	return &pods[0], nil
}

func (r *runner) podsOf(ctx context.Context, target, namespace string) ([]corev1.Pod, error) {
	o, err := r.object(target, namespace)
	if err != nil {
		return nil, err
	}
	got, err := r.env.Kube.Get(ctx, o)
	if err != nil {
		return nil, err
	}
	selector, err := selectorOf(got)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", target, err)
	}
	list, err := r.env.Kube.Clientset().CoreV1().Pods(o.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	return readyPods(list.Items), nil
}

// selectorOf returns the selector of a workload's pods as text.
func selectorOf(o *unstructured.Unstructured) (string, error) {
	labels, found, err := unstructured.NestedStringMap(o.Object, "spec", "selector", "matchLabels")
	if err != nil || !found {
		return "", fmt.Errorf("%s has no spec.selector.matchLabels", kube.Describe(o))
	}
	return metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: labels}), nil
}

func readyPods(pods []corev1.Pod) []corev1.Pod {
	var ready []corev1.Pod
	for i := range pods {
		if pods[i].DeletionTimestamp == nil && pods[i].Status.Phase == corev1.PodRunning && kube.PodTrouble(&pods[i]) == "" {
			ready = append(ready, pods[i])
		}
	}
	return ready
}
