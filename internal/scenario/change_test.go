package scenario_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

const systemYAML = `
apiVersion: v1
kind: ConfigMap
metadata: {name: ingresslab-controller, namespace: ingresslab-system, labels: {keep: me}}
data: {log-level: info}
`

// playSteps runs steps against a cluster and returns the report.
func playSteps(t *testing.T, c *fakecluster.Cluster, http scenario.Prober, steps string) *scenario.Report {
	t.Helper()
	report, err := scenario.Run(t.Context(), load(t, steps), scenario.Env{Kube: c, HTTP: http, Run: "r1", BeforeStep: brief})
	if err != nil && report.Outcome != scenario.Broken {
		t.Fatal(err)
	}
	return report
}

// brief limits the polls of expect, for answers that never come.
func brief(step scenario.Step, _ []string) scenario.StepLimits {
	if step.Expect == nil {
		return scenario.StepLimits{}
	}
	return scenario.StepLimits{Within: 2 * time.Second}
}

func passes(t *testing.T, report *scenario.Report) {
	t.Helper()
	if report.Outcome != scenario.Passed {
		t.Errorf("%s: %s", report.Outcome, report.Reason)
	}
}

func TestPatchChangesExistingObjects(t *testing.T) {
	c, http := fakecluster.New(t)
	passes(t, playSteps(t, c, http, `
- apply: web.yaml
- patch: {object: ingress/web, json: [{op: replace, path: /spec/rules/0/host, value: shop.test}]}
- expect: {url: http://shop.test/, app: web}
- expect: {url: http://web.test/, status: 404}
- patch:
    object: ingress/web
    merge: {spec: {rules: [{host: web.test, http: {paths: [
      {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}}
- expect: {url: http://web.test/, app: web}
- wait: {object: ingress/web, jsonpath: "{.spec.rules[*].host}", value: web.*, within: 5s}
- delete: ingress/web
- wait: {object: ingress/web, exists: false, within: 5s}
`))
	for steps, want := range map[string]string{
		"- patch: {object: ingress/web, merge: {spec: {ingressClassName: other}}}\n":                     `"web" not found`,
		"- apply: web.yaml\n- patch: {object: ingress/web, json: [{op: remove, path: /spec/nothing}]}\n": "/spec/nothing",
		"- apply: web.yaml\n- wait: {object: ingress/web, jsonpath: '{.spec.nothing}', value: x, within: 1ms}\n": "{.spec.nothing} " +
			"of ingress lab-example-r1/web: expected x, observed nothing",
		"- apply: web.yaml\n- wait: {object: ingress/web, exists: false, within: 1ms}\n": "ingress " +
			"lab-example-r1/web: expected not to exist, observed exists",
		"- wait: {object: secret/web, exists: true, within: 1ms}\n": "secret " +
			"lab-example-r1/web: expected to exist, observed not found",
		"- apply: web.yaml\n- wait: {object: ingress/web, jsonpath: '{.spec.ingressClassName}', value: '', within: 1ms}\n": "expected " +
			"nothing, observed ingresslab",
	} {
		if report := playSteps(t, c, http, steps); report.Outcome == scenario.Passed || !strings.Contains(report.Reason, want) {
			t.Errorf("%s%s: %s; want %s", steps, report.Outcome, report.Reason, want)
		}
	}
}

func systemConfig(t *testing.T, c *fakecluster.Cluster) *unstructured.Unstructured {
	t.Helper()
	got, err := c.Get(t.Context(), objectsOf(t, systemYAML)[0])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestObjectsOutsideNamespaceAreRestored has a run change the controller's ConfigMap, and pass,
// fail or be interrupted.
func TestObjectsOutsideNamespaceAreRestored(t *testing.T) {
	const steps = "- patch: {object: configmap/ingresslab-controller, namespace: ingresslab-system, " +
		"merge: {metadata: {labels: {keep: null}}, " +
		"data: {log-level: debug, enable-sticky-sessions: \"true\"}}}\n"
	for name, more := range map[string]string{
		"passes": "", "fails": "- wait: {service: web, endpoints: 1, within: 1ms}\n", "is interrupted": "- wait: {ready: true}\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, http := fakecluster.New(t)
			c.Put(t, "kubectl", objectsOf(t, systemYAML)...)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.ReadyErr = func(ctx context.Context, _ []*unstructured.Unstructured) error {
				if data, _, _ := unstructured.NestedStringMap(systemConfig(t, c).Object, "data"); data["log-level"] != "debug" {
					t.Errorf("not patched: %v", data)
				}
				cancel()
				return ctx.Err()
			}
			s := load(t, steps+more)
			if _, err := scenario.Run(ctx, s, scenario.Env{Kube: c, HTTP: http}); err != nil {
				t.Fatal(err)
			}
			got := systemConfig(t, c)
			data, _, _ := unstructured.NestedStringMap(got.Object, "data")
			if len(data) != 1 || data["log-level"] != "info" || got.GetLabels()["keep"] != "me" {
				t.Errorf("not given back: %v %v", data, got.GetLabels())
			}
		})
	}
}

func TestKeptRunListsChangesOutsideNamespace(t *testing.T) {
	c, http := fakecluster.New(t)
	c.Put(t, "kubectl", objectsOf(t, systemYAML)...)
	s := load(t, "- patch: {object: configmap/ingresslab-controller, namespace: ingresslab-system, merge: {data: {log-level: debug}}}\n")
	report, err := scenario.Run(t.Context(), s, scenario.Env{Kube: c, HTTP: http, Keep: true})
	if err != nil || !slices.Equal(report.Changed, []string{"configmap ingresslab-system/ingresslab-controller"}) {
		t.Errorf("%v, %v", report.Changed, err)
	}
	var said strings.Builder
	scenario.NewPretty(&said, scenario.Style{}).ScenarioDone(*report)
	if want := "not restored: configmap ingresslab-system/ingresslab-controller\n"; !strings.Contains(said.String(), want) {
		t.Errorf("said %q, want %q in it", said.String(), want)
	}
}

func TestRolloutRestartAndUndo(t *testing.T) {
	c, http := fakecluster.New(t)
	web := objectsOf(t, deploymentYAML)[0]
	web.SetNamespace("lab-example-r1")
	web.Object["status"] = map[string]any{"updatedReplicas": int64(1), "replicas": int64(1), "availableReplicas": int64(1)}
	c.Put(t, "kubectl", web)
	passes(t, playKept(t, c, http, "- rollout: {restart: deployment/web}\n"))
	got, err := c.Get(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	if at, _, _ := unstructured.NestedString(got.Object, "spec", "template", "metadata", "annotations",
		"kubectl.kubernetes.io/restartedAt"); at == "" {
		t.Error("the template is not annotated")
	}
	report := playKept(t, c, http, "- rollout: {undo: deployment/web}\n")
	if want := "deployment web has no earlier revision"; !strings.Contains(report.Reason, want) ||
		report.Outcome != scenario.Failed {
		t.Errorf("%s: %s", report.Outcome, report.Reason)
	}
	for revision, image := range map[string]string{"1": "cheese:stilton", "2": "cheese:wensleydale", "3": "cheese:cheddar"} {
		set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
			Namespace: "lab-example-r1", Name: "web-" + revision, Labels: map[string]string{"app": "web"},
			Annotations:     map[string]string{"deployment.kubernetes.io/revision": revision},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(got, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		}}
		set.Spec.Template.Labels = map[string]string{"app": "web", "pod-template-hash": "x"}
		set.Spec.Template.Spec.Containers = []corev1.Container{{Name: "web", Image: image}}
		if _, err := c.Clientset().AppsV1().ReplicaSets(set.Namespace).Create(t.Context(), set, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	passes(t, playKept(t, c, http, "- rollout: {undo: deployment/web}\n"))
	d, err := c.Clientset().AppsV1().Deployments("lab-example-r1").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || d.Spec.Template.Spec.Containers[0].Image != "cheese:wensleydale" || d.Spec.Template.Labels["pod-template-hash"] != "" {
		t.Errorf("%+v, %v", d.Spec.Template, err)
	}
}

func TestUnfinishedRolloutTimesOut(t *testing.T) {
	c, http := fakecluster.New(t)
	for _, status := range []string{"deployment/web", "deployment/nothing"} {
		report := playSteps(t, c, http, "- apply: deployment.yaml\n- rollout: {status: "+status+", within: 1ms}\n")
		want := map[string]string{
			"deployment/web":     "rollout of deployment/web: expected finished, observed 0 of 1 pods are new",
			"deployment/nothing": "object: expected deployment/nothing, observed not found",
		}[status]
		if report.Outcome != scenario.TimedOut || !strings.Contains(report.Reason, want) {
			t.Errorf("%s: %s; want %s", report.Outcome, report.Reason, want)
		}
	}
}

// playKept leaves what is there for a further run.
func playKept(t *testing.T, c *fakecluster.Cluster, http scenario.Prober, steps string) *scenario.Report {
	t.Helper()
	report, err := scenario.Run(t.Context(), load(t, steps), scenario.Env{Kube: c, HTTP: http, Run: "r1", Keep: true, BeforeStep: brief})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// node and running are what the fake has no controller for.
func node(t *testing.T, c *fakecluster.Cluster, name, ip string, labels map[string]string) {
	t.Helper()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: ip}}
	if _, err := c.Clientset().CoreV1().Nodes().Create(t.Context(), n, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func running(t *testing.T, c *fakecluster.Cluster, name, node string) {
	t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "lab-example-r1", Name: name, Labels: map[string]string{"app": "web"}}}
	p.Spec.NodeName = node
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if _, err := c.Clientset().CoreV1().Pods(p.Namespace).Create(t.Context(), p, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

const netTestPod = "- apply: net-test.yaml\n"

func TestExecChecksOutputAndExitCode(t *testing.T) {
	c, http := fakecluster.New(t)
	running(t, c, "net-test", "")
	c.OnExec = func(command kube.Command) (kube.Output, error) {
		if command.Args[0] == "fail" {
			return kube.Output{ExitCode: 6, Stderr: []byte("no such host")}, nil
		}
		if command.Args[0] == "lost" {
			return kube.Output{}, errors.New("connection lost")
		}
		return kube.Output{Stdout: []byte(strings.Join(command.Args, " ") + " in " + command.Namespace + "/" + command.Pod)}, nil
	}
	passes(t, playSteps(t, c, http,
		netTestPod+"- exec: {pod: net-test, command: [ask, shop.test], contains: ask shop.test in lab-example-r1/net-test, notContains: no}\n"))
	passes(t, playSteps(t, c, http, netTestPod+"- exec: {pod: pod/net-test, command: fail, exitCode: 6, contains: no such host}\n"))
	for step, want := range map[string]string{
		"{pod: net-test, command: fail}":                                `exit code: expected 0, observed 6, and it wrote "no such host"`,
		"{pod: net-test, command: ask, contains: all}":                  `output: expected to contain "all", observed "ask in`,
		"{pod: net-test, command: ask, notContains: ask, within: 50ms}": `output: expected not to contain "ask"`,
		"{pod: net-test, command: lost}":                                "connection lost",
		"{pod: deployment/web, command: ask}":                           "object: expected deployment/web, observed not found",
	} {
		if report := playSteps(t, c, http, netTestPod+"- exec: "+step+"\n"); report.Outcome != scenario.Failed ||
			!strings.Contains(report.Reason, want) {
			t.Errorf("%s: %s: %s; want %s", step, report.Outcome, report.Reason, want)
		}
	}
}

func TestNeverRunsStepsMeanwhile(t *testing.T) {
	c, http := fakecluster.New(t)
	passes(t, playSteps(t, c, http,
		"- apply: web.yaml\n- never: {expect: {url: http://web.test/, status: 404}, for: 10ms, while: [{wait: {service: web, endpoints: 1}}]}\n"))
	report := playSteps(t, c, http,
		"- apply: web.yaml\n- never: {expect: {url: http://web.test/, status: 404}, while: [{delete: ingress/web}]}\n")
	want := "answer: expected never: GET http://web.r1.test/ answers 404, observed 404, after "
	if report.Outcome != scenario.Failed || !strings.Contains(report.Reason, want) {
		t.Errorf("%s: %s; want %s", report.Outcome, report.Reason, want)
	}
	report = playSteps(t, c, http,
		"- never: {expect: {url: http://web.test/, status: 200}, for: 10ms, while: [{scale: {deployment: nothing, replicas: 1}}]}\n")
	if report.Outcome != scenario.Failed || !strings.Contains(report.Reason, `"nothing" not found`) {
		t.Errorf("a step inside that fails: %s: %s", report.Outcome, report.Reason)
	}
	dead := prober(func(probe.Request) probe.Observation { return probe.Observation{Err: errors.New("nothing listens")} })
	report = playSteps(t, c, dead, "- never: {expect: {url: http://web.test/, status: 200}, for: 10ms}\n")
	if report.Outcome != scenario.Failed || !strings.Contains(report.Reason, "no response: nothing listens") {
		t.Errorf("an ingress that does not answer: %s: %s", report.Outcome, report.Reason)
	}
}

func TestWaitForNodeAddressesOfIngress(t *testing.T) {
	c, http := fakecluster.New(t)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: scenario.SystemNamespace, Name: "controller-a", Labels: map[string]string{"app.kubernetes.io/name": "ingress-controller"},
	}}
	p.Status.Phase, p.Status.HostIP = corev1.PodRunning, fakecluster.Address
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if _, err := c.Clientset().CoreV1().Pods(p.Namespace).Create(t.Context(), p, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	passes(t, playSteps(t, c, http, "- apply: web.yaml\n- wait: {ingress: web, addresses: nodes}\n"))
	other := p.DeepCopy()
	other.Name, other.Status.HostIP, other.ResourceVersion = "controller-b", "10.9.0.9", ""
	if _, err := c.Clientset().CoreV1().Pods(p.Namespace).Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	report := playSteps(t, c, http, "- apply: web.yaml\n- wait: {ingress: web, addresses: nodes, within: 1ms}\n")
	if want := "10.9.0.9"; report.Outcome != scenario.TimedOut || !strings.Contains(report.Reason, want) {
		t.Errorf("a node without an address in the status: %s: %s; want %s", report.Outcome, report.Reason, want)
	}
}

type prober func(probe.Request) probe.Observation

func (p prober) Do(_ context.Context, r probe.Request) probe.Observation { return p(r) }

func TestPodFaults(t *testing.T) {
	c, http := fakecluster.New(t)
	running(t, c, "web-pod", "a")
	var told []string
	c.OnPost = func(pod, path string, query url.Values) kube.Answer {
		told = append(told, pod+path+"?"+query.Encode())
		return kube.Answer{Status: map[string]int{"/crash": 502, "/readyz": 200}[path]}
	}
	passes(t, playKept(t, c, http,
		"- apply: web.yaml\n- fault: {pod: {service: web, action: crash}}\n- fault: {pod: {name: web-pod, action: unready}}\n"))
	if want := []string{"web-pod/crash?", "web-pod/readyz?ready=false"}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	c.OnPost = func(string, string, url.Values) kube.Answer { return kube.Answer{Status: 404} }
	for step, want := range map[string]string{
		"{service: web, action: crash}":           "pod web-pod returns 404 for POST /crash on port 80; it is not a demo workload",
		"{service: web, count: 2, action: kill}":  "1 pods are ready; 2 are needed",
		"{service: nothing, action: kill}":        "0 pods are ready",
		"{session: s, action: kill}":              "no pod has served session s yet",
		"{name: nothing, action: delete}":         `"nothing" not found`,
		"{workload: deployment/x, action: crash}": "not found",
	} {
		report := playKept(t, c, http, "- apply: web.yaml\n- fault: {pod: "+step+"}\n")
		if report.Outcome != scenario.Failed || !strings.Contains(strings.ReplaceAll(report.Reason, "NotFound", "not found"), want) {
			t.Errorf("%s: %s: %s; want %s", step, report.Outcome, report.Reason, want)
		}
	}
	passes(t, playKept(t, c, http, "- fault: {pod: {service: web, action: delete}}\n"))
	if _, err := c.Clientset().CoreV1().Pods("lab-example-r1").Get(t.Context(), "web-pod", metav1.GetOptions{}); err == nil {
		t.Error("the pod is still there")
	}
}

func TestNodeFaultEndsWithRun(t *testing.T) {
	c, http := fakecluster.New(t)
	node(t, c, "control", "10.9.0.1", map[string]string{"node-role.kubernetes.io/control-plane": ""})
	node(t, c, "a", "10.9.0.2", nil)
	isCordoned := func() bool {
		n, err := c.Clientset().CoreV1().Nodes().Get(t.Context(), "a", metav1.GetOptions{})
		return err == nil && n.Spec.Unschedulable
	}
	c.ReadyErr = func(context.Context, []*unstructured.Unstructured) error {
		if !isCordoned() {
			t.Error("the node is not cordoned")
		}
		return nil
	}
	passes(t, playSteps(t, c, http, "- fault: {node: {role: worker, action: drain}}\n- wait: {ready: true}\n"))
	if isCordoned() {
		t.Error("the node is still cordoned")
	}
	if report := playSteps(t, c, http, "- fault: {node: {service: web, action: cordon}}\n"); !strings.Contains(report.Reason,
		"no ready endpoint") {
		t.Errorf("%s: %s", report.Outcome, report.Reason)
	}
}

func TestSolutionAllowsOnlyChangingVerbs(t *testing.T) {
	steps := []scenario.Step{{Expect: &scenario.Expect{URL: "http://web.test/", Status: 200}}, {Scale: &scenario.Scale{Deployment: "web",
		Replicas: new(int32)}}}
	faults := scenario.ValidateSolution("lesson.md", nil, "solution", steps)
	want := "lesson.md: solution[0]: a solution changes the cluster: expect is not allowed; " +
		"use apply, delete, patch, scale, rollout, certificate, wait, fault"
	if faults.Error() != want {
		t.Errorf("%v\nwant %s", faults, want)
	}
}
