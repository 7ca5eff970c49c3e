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

// system is an object in the controller's namespace, of a lab if one is named.
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

// borrower is a lab that has a Service with a node port beside the controller; with its solution, it has another one.
func borrower(t *testing.T) *lab.Lab {
	t.Helper()
	l := hostRouting(t)
	l.Start = append(l.Start, system("Service", "door", "", nodePort(30000)))
	l.Solution = append(l.Solution, system("Service", "side-door", "", nodePort(32767)))
	return l
}

// settings are the data of the controller's ConfigMap; nil if there is no ConfigMap.
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

// installed puts the controller's ConfigMap into the cluster, as `ingresslab up` and a person with settings of their own do.
func installed(t *testing.T, c *fakecluster.Cluster, data map[string]string) {
	t.Helper()
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: lab.ControllerConfigMap, Namespace: lab.ControllerNamespace, Labels: map[string]string{"app.kubernetes.io/part-of": "ingresslab"},
	}, Data: data}
	if _, err := c.Clientset().CoreV1().ConfigMaps(lab.ControllerNamespace).Create(t.Context(), config, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// inSystem lists what is in the controller's namespace.
func inSystem(c *fakecluster.Cluster) string {
	there := slices.DeleteFunc(c.Objects(), func(id string) bool { return !strings.Contains(id, " "+lab.ControllerNamespace+"/") })
	slices.Sort(there)
	return strings.ReplaceAll(strings.Join(there, ", "), lab.ControllerNamespace+"/", "")
}

// TestNothingOfOthersIsTouchedBesideTheController has there what people and other labs may have: only what is in the way goes.
func TestNothingOfOthersIsTouchedBesideTheController(t *testing.T) {
	t.Parallel()
	l := borrower(t)
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
	const inTheWay = "service ingresslab-system/in-the-way of lab exposing has a node port that this lab needs: it is removed"
	if err != nil || !slices.Equal(notes, []string{inTheWay}) {
		t.Errorf("the notes are %q, %v", notes, err)
	}
	if got, want := inSystem(c), others+"Service door, Service elsewhere, Service of-a-person"; got != want {
		t.Errorf("after the start there are\n%s, want\n%s", got, want)
	}
	holdings, err := s.Holdings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range holdings {
		if o.GetNamespace() == lab.ControllerNamespace && o.GetName() != "door" {
			t.Errorf("the lab says that it has %s", kube.Describe(o))
		}
	}
	if err := s.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := inSystem(c), others+"Service elsewhere, Service of-a-person"; got != want {
		t.Errorf("after the lab there are\n%s, want\n%s", got, want)
	}
}

// TestWhoHasNothingBesideTheControllerTakesNothingFromThere starts a lab that wants no node port.
func TestWhoHasNothingBesideTheControllerTakesNothingFromThere(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	c.Put(t, kube.FieldManager, system("Service", "door", "exposing", nodePort(30000)))
	s := begun(t, hostRouting(t), env)
	if err := s.Remove(t.Context()); err != nil || inSystem(c) != "Service door" {
		t.Errorf("there are %s, %v", inSystem(c), err)
	}
}

// TestSettingsAreLentAndGivenBack follows the controller's ConfigMap through a lab that is about it.
func TestSettingsAreLentAndGivenBack(t *testing.T) {
	t.Parallel()
	l := hostRouting(t)
	config := system("ConfigMap", lab.ControllerConfigMap, "", map[string]any{"data": map[string]any{"affinity": "cookie"}})
	l.Solution = append(l.Solution, config)
	c, env := environment(t)
	installed(t, c, map[string]string{"retries": "3", "hsts": "false"})
	s := lab.NewSession(l, env)
	notes, err := s.Start(t.Context())
	const had = "configmap ingresslab-system/ingresslab-controller had hsts, retries: lab 1 begins without"
	if err != nil || !slices.Equal(notes, []string{had}) || len(settings(t, c)) != 0 {
		t.Errorf("after the start the settings are %v, the notes %q, %v", settings(t, c), notes, err)
	}
	// The solution replaces what a student has set, which applying would only add to.
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
		t.Errorf("with the solution the settings are %v", got)
	}
	if err := s.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := settings(t, c); got == nil || len(got) != 0 {
		t.Errorf("after the lab the settings are %v, want an empty ConfigMap", got)
	}
	left, err := c.Clientset().CoreV1().ConfigMaps(lab.ControllerNamespace).Get(t.Context(), lab.ControllerConfigMap, metav1.GetOptions{})
	if err != nil || left.Labels["app.kubernetes.io/part-of"] != "ingresslab" {
		t.Errorf("the ConfigMap has the labels %v, %v", left.Labels, err)
	}
}

// TestSettingsAreInForceForTheStepsAfterThem applies three files, of which the second has the ConfigMap.
func TestSettingsAreInForceForTheStepsAfterThem(t *testing.T) {
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

// TestSettingsAreMadeOnlyIfThereAreAny begins in a cluster without the ConfigMap.
func TestSettingsAreMadeOnlyIfThereAreAny(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	begun(t, hostRouting(t), env)
	if got := settings(t, c); got != nil {
		t.Errorf("a lab without settings has made a ConfigMap with %v", got)
	}
	l := hostRouting(t)
	l.Start = append(l.Start, system("ConfigMap", lab.ControllerConfigMap, "", map[string]any{"data": map[string]any{"affinity": "cookie"}}))
	begun(t, l, env)
	if got := settings(t, c); got["affinity"] != "cookie" {
		t.Errorf("the settings are %v", got)
	}
}

// TestARemovalOfAnotherLabLeavesSettingsAlone removes a lab that has nothing to do with them.
func TestARemovalOfAnotherLabLeavesSettingsAlone(t *testing.T) {
	t.Parallel()
	c, env := environment(t)
	installed(t, c, map[string]string{"retries": "3"})
	if err := lab.NewSession(hostRouting(t), env).Remove(t.Context()); err != nil || settings(t, c)["retries"] != "3" {
		t.Errorf("the settings are %v, %v", settings(t, c), err)
	}
}

func TestSettingsThatCannotBeWritten(t *testing.T) {
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
