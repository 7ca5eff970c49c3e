package lab

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// The parts of the cluster that labs share: the namespace of the controller and its ConfigMap.
const (
	ControllerNamespace = "ingresslab-system"
	ControllerConfigMap = "ingresslab-controller"
	controllerPods      = "app.kubernetes.io/name=ingress-controller" // a label selector
)

// sharedKinds are the kinds of objects that a lab can add to the controller's namespace.
var sharedKinds = []string{"DaemonSet", "Deployment", "Ingress", "Service"}

func isConfig(o *unstructured.Unstructured) bool {
	return o.GetKind() == "ConfigMap" && o.GetNamespace() == ControllerNamespace && o.GetName() == ControllerConfigMap
}

// withoutConfig separates the controller's ConfigMap from other objects. config is nil if there is
// none.
func withoutConfig(objects []*unstructured.Unstructured) (others []*unstructured.Unstructured, config *unstructured.Unstructured) {
	for _, o := range objects {
		if isConfig(o) {
			config = o
		} else {
			others = append(others, o)
		}
	}
	return others, config
}

// sharedObjects are objects of labs in the controller's namespace.
type sharedObjects struct {
	ours []*unstructured.Unstructured // ours have a name from the lab's manifests, or the lab's label
	// colliding belong to other labs and use a node port that this lab needs.
	colliding []*unstructured.Unstructured
}

// findShared finds the shared objects that a lab owns or collides with.
func findShared(ctx context.Context, c kubernetes.Interface, l *Lab) (sharedObjects, error) {
	named := l.Named()
	var found sharedObjects
	if !slices.ContainsFunc(named, func(o *unstructured.Unstructured) bool { return o.GetNamespace() == ControllerNamespace }) {
		return found, nil
	}
	present, err := inventoryOf(ctx, c, ControllerNamespace, sharedKinds...)
	if err != nil {
		return found, err
	}
	ports := nodePorts(named...)
	for _, o := range present {
		owner := o.GetLabels()[Label]
		switch {
		case owner == l.Name, find(named, keyOf(o)) != nil:
			found.ours = append(found.ours, o)
		case owner != "" && slices.ContainsFunc(nodePorts(o), func(p int64) bool { return slices.Contains(ports, p) }):
			found.colliding = append(found.colliding, o)
		}
	}
	return found, nil
}

func (s sharedObjects) notes() []string {
	var notes []string
	for _, o := range s.colliding {
		notes = append(notes, fmt.Sprintf("removed %s of lab %s, because this lab needs its node port", kube.Describe(o), o.GetLabels()[Label]))
	}
	return notes
}

func nodePorts(objects ...*unstructured.Unstructured) []int64 {
	var numbers []int64
	for _, o := range objects {
		if o.GetKind() != "Service" {
			continue
		}
		ports, _, _ := unstructured.NestedSlice(o.Object, "spec", "ports")
		for _, port := range ports {
			fields, _ := port.(map[string]any)
			if number, found, _ := unstructured.NestedInt64(fields, "nodePort"); found && number != 0 {
				numbers = append(numbers, number)
			}
		}
	}
	return numbers
}

// lockSettings is the lock for the data of the controller's ConfigMap.
const lockSettings = "settings"

// settingsLocked reports whether another lab or scenario uses the data of the controller's
// ConfigMap.
func settingsLocked(ctx context.Context, c kubernetes.Interface, l *Lab) (bool, error) {
	list, err := c.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: scenario.LabelLock + lockSettings})
	if err != nil {
		return false, fmt.Errorf("list namespaces: %w", err)
	}
	return slices.ContainsFunc(list.Items, func(ns corev1.Namespace) bool {
		return ns.Name != l.Namespace && ns.DeletionTimestamp == nil
	}), nil
}

// configure sets the data of the controller's ConfigMap to that of config, or clears it if config
// is nil. The note lists the cleared keys.
func configure(ctx context.Context, c kubernetes.Interface, l *Lab, config *unstructured.Unstructured) (note string, err error) {
	want := map[string]string{}
	if config != nil {
		data, _, err := unstructured.NestedStringMap(config.Object, "data")
		if err != nil {
			return "", fmt.Errorf("%s: %w", kube.Describe(config), err)
		}
		maps.Copy(want, data)
	}
	client := c.CoreV1().ConfigMaps(ControllerNamespace)
	now, err := client.Get(ctx, ControllerConfigMap, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && len(want) == 0:
		return "", nil
	case apierrors.IsNotFound(err):
		created := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: ControllerConfigMap, Namespace: ControllerNamespace}, Data: want}
		_, err = client.Create(ctx, created, metav1.CreateOptions{FieldManager: kube.FieldManager})
	case err == nil && !maps.Equal(now.Data, want):
		if len(want) == 0 {
			note = fmt.Sprintf("removed %s from configmap %s/%s, because lab %d starts without settings",
				strings.Join(slices.Sorted(maps.Keys(now.Data)), ", "), ControllerNamespace, ControllerConfigMap, l.Number)
		}
		now.Data = want
		_, err = client.Update(ctx, now, metav1.UpdateOptions{FieldManager: kube.FieldManager})
	}
	if err != nil {
		return note, fmt.Errorf("configmap %s/%s: %w", ControllerNamespace, ControllerConfigMap, err)
	}
	return note, nil
}
