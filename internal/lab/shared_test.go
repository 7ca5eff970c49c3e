package lab_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/testing/fakecluster"
)

// system returns an object in the controller's namespace with an optional owner, the name of a lab.
func system(kind, name, owner string, more map[string]any) *unstructured.Unstructured {
	o := object(kind, name, more)
	o.SetNamespace(lab.ControllerNamespace)
	if owner != "" {
		o.SetLabels(map[string]string{lab.Label: owner})
	}
	return o
}

func nodePort(number int64) map[string]any {
	return map[string]any{"spec": map[string]any{"type": "NodePort", "ports": []any{map[string]any{"port": int64(80), "nodePort": number}}}}
}

// sharer returns a lab with a Service in the controller's namespace at the start, and another one
// in its solution.
func sharer(t *testing.T) *lab.Lab {
	t.Helper()
	l := hostRouting(t)
	l.Start = append(l.Start, system("Service", "door", "", nodePort(30000)))
	l.Solution = append(l.Solution, system("Service", "side-door", "", nodePort(32767)))
	return l
}

// settings returns the data of the controller's ConfigMap, or nil without a ConfigMap.
func settings(t *testing.T, c *fakecluster.Cluster) map[string]string {
	t.Helper()
	config, err := c.Clientset().CoreV1().ConfigMaps(lab.ControllerNamespace).Get(t.Context(), lab.ControllerConfigMap, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if config.Data == nil {
		return map[string]string{}
	}
	return config.Data
}

// installed creates the controller's ConfigMap like `ingresslab up`, with a user's settings.
func installed(t *testing.T, c *fakecluster.Cluster, data map[string]string) {
	t.Helper()
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: lab.ControllerConfigMap, Namespace: lab.ControllerNamespace, Labels: map[string]string{"app.kubernetes.io/part-of": "ingresslab"},
	}, Data: data}
	if _, err := c.Clientset().CoreV1().ConfigMaps(lab.ControllerNamespace).Create(t.Context(), config, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// inSystem lists the objects in the controller's namespace.
func inSystem(c *fakecluster.Cluster) string {
	there := slices.DeleteFunc(c.Objects(), func(id string) bool { return !strings.Contains(id, " "+lab.ControllerNamespace+"/") })
	slices.Sort(there)
	return strings.ReplaceAll(strings.Join(there, ", "), lab.ControllerNamespace+"/", "")
}

// The controller's namespace has objects of users and other labs. Only colliding ones must be
// removed.
func TestStartKeepsSharedObjectsOfOthers(t *testing.T) {
	t.Parallel()
	l := sharer(t)
	c, env := environment(t)
	c.Put(t, "kubectl", system("Deployment", "door", "", nil), system("Service", "of-a-person", "", nodePort(30000)))
	c.Put(t, kube.FieldManager,
		system("Service", "in-the-way", "exposing", nodePort(32767)),
		system("Service", "elsewhere", "exposing", nodePort(31000)),
		system("DaemonSet", "without-ports", "exposing", nil),
		system("Service", "from-a-former-run", l.Name, nodePort(31001)),
	)
	const others = "DaemonSet without-ports, Deployment door, "
	s := lab.NewSession(l, env)
	notes, err := s.Start(t.Context())
	const inTheWay = "removed service ingresslab-system/in-the-way of lab exposing, because this lab needs its node port"
	if err != nil || !slices.Equal(notes, []string{inTheWay}) {
		t.Errorf("notes %q, %v", notes, err)
	}
	if got, want := inSystem(c), others+"Service door, Service elsewhere, Service of-a-person"; got != want {
		t.Errorf("objects after the start:\n%s, want\n%s", got, want)
	}
	objects, err := s.Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if o.GetNamespace() == lab.ControllerNamespace && o.GetName() != "door" {
			t.Errorf("Objects returns %s", kube.Describe(o))
		}
	}
	if err := s.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := inSystem(c), others+"Service elsewhere, Service of-a-person"; got != want {
		t.Errorf("objects after the lab:\n%s, want\n%s", got, want)
	}
}

func TestLabWithoutSharedObjectsKeepsThoseOfOthers(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	c.Put(t, kube.FieldManager, system("Service", "door", "exposing", nodePort(30000)))
	s := begun(t, hostRouting(t), env)
	if err := s.Remove(t.Context()); err != nil || inSystem(c) != "Service door" {
		t.Errorf("objects %s, %v", inSystem(c), err)
	}
}

func TestControllerConfigMapIsRestored(t *testing.T) {
	t.Parallel()
	l := hostRouting(t)
	config := system("ConfigMap", lab.ControllerConfigMap, "", map[string]any{"data": map[string]any{"affinity": "cookie"}})
	l.Solution = append(l.Solution, config)
	c, env := environment(t)
	installed(t, c, map[string]string{"retries": "3", "hsts": "false"})
	s := lab.NewSession(l, env)
	notes, err := s.Start(t.Context())
	const had = "removed hsts, retries from configmap ingresslab-system/ingresslab-controller, because lab 1 starts without settings"
	if err != nil || !slices.Equal(notes, []string{had}) || len(settings(t, c)) != 0 {
		t.Errorf("settings after the start: %v; notes %q, %v", settings(t, c), notes, err)
	}
	// The solution replaces the student's settings; apply would keep them.
	student := map[string]string{"affinity": "none", "proxy-body-size": "1m"}
	edited, err := c.Clientset().CoreV1().ConfigMaps(lab.ControllerNamespace).Get(t.Context(), lab.ControllerConfigMap, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	edited.Data = student
	if _, err := c.Clientset().CoreV1().ConfigMaps(lab.ControllerNamespace).Update(t.Context(), edited, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	applied := map[string]scenario.Manifest{"config.yaml": {Objects: []*unstructured.Unstructured{config}}}
	if err := s.Perform(t.Context(), "the solution", applied, []scenario.Step{{Apply: []string{"config.yaml"}}}); err != nil {
		t.Fatal(err)
	}
	if got := settings(t, c); !maps.Equal(got, map[string]string{"affinity": "cookie"}) {
		t.Errorf("settings with the solution: %v", got)
	}
	if err := s.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := settings(t, c); got == nil || len(got) != 0 {
		t.Errorf("settings after the lab: %v, want an empty ConfigMap", got)
	}
	left, err := c.Clientset().CoreV1().ConfigMaps(lab.ControllerNamespace).Get(t.Context(), lab.ControllerConfigMap, metav1.GetOptions{})
	if err != nil || left.Labels["app.kubernetes.io/part-of"] != "ingresslab" {
		t.Errorf("the ConfigMap has the labels %v, %v", left.Labels, err)
	}
}

// The second of three files has the ConfigMap.
func TestSettingsAreSetBeforeNextStep(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	files := map[string]scenario.Manifest{
		"first.yaml": {Objects: []*unstructured.Unstructured{object("ConfigMap", "first", nil)}},
		"config.yaml": {Objects: []*unstructured.Unstructured{
			system("ConfigMap", lab.ControllerConfigMap, "", map[string]any{"data": map[string]any{"affinity": "cookie"}}),
		}},
		"last.yaml": {Objects: []*unstructured.Unstructured{object("ConfigMap", "last", nil)}},
	}
	seen := map[string]string{}
	c.ApplyErr = func(o *unstructured.Unstructured) error {
		seen[o.GetName()] = settings(t, c)["affinity"]
		return nil
	}
	s := lab.NewSession(hostRouting(t), env)
	steps := []scenario.Step{{Apply: []string{"first.yaml"}}, {Apply: []string{"config.yaml"}}, {Apply: []string{"last.yaml"}}}
	if err := s.Perform(t.Context(), "the solution", files, steps); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"first": "", "last": "cookie"}; !maps.Equal(seen, want) {
		t.Errorf("the settings were %v, want %v", seen, want)
	}
	// A step that fails leaves those after it undone, and is named.
	c.ApplyErr = func(o *unstructured.Unstructured) error { return errors.New(o.GetName() + " is refused") }
	err := s.Perform(t.Context(), "the solution", files, steps[2:])
	var failed *lab.StepError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "last is refused") {
		t.Errorf("the error is %v", err)
	}
}

// The cluster has no ConfigMap at first.
func TestConfigMapIsCreatedOnlyWithSettings(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	begun(t, hostRouting(t), env)
	if got := settings(t, c); got != nil {
		t.Errorf("a lab without settings created a ConfigMap with %v", got)
	}
	l := hostRouting(t)
	l.Start = append(l.Start, system("ConfigMap", lab.ControllerConfigMap, "", map[string]any{"data": map[string]any{"affinity": "cookie"}}))
	begun(t, l, env)
	if got := settings(t, c); got["affinity"] != "cookie" {
		t.Errorf("the settings are %v", got)
	}
}

func TestRemoveKeepsSettingsOfOthers(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	installed(t, c, map[string]string{"retries": "3"})
	if err := lab.NewSession(hostRouting(t), env).Remove(t.Context()); err != nil || settings(t, c)["retries"] != "3" {
		t.Errorf("the settings are %v, %v", settings(t, c), err)
	}
}

func TestSettingsWriteError(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	installed(t, c, map[string]string{"retries": "3"})
	c.Clientset().(*fake.Clientset).PrependReactor("update", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("it is immutable")
	})
	_, err := lab.NewSession(hostRouting(t), env).Start(t.Context())
	if err == nil || err.Error() != "configmap ingresslab-system/ingresslab-controller: it is immutable" {
		t.Errorf("the error is %v", err)
	}
}
