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

// What a lab may borrow: the namespace of the controller, in which it puts objects of its own, and the controller's ConfigMap.
const (
	ControllerNamespace = "ingresslab-system"
	ControllerConfigMap = "ingresslab-controller"
	// controllerPods selects the controller's pods.
	controllerPods = "app.kubernetes.io/name=ingress-controller"
)

// borrowable are the kinds that a lab may put into the controller's namespace, beside the ConfigMap.
var borrowable = []string{"DaemonSet", "Deployment", "Ingress", "Service"}

// isConfig tells whether an object is the controller's ConfigMap, which is there with or without a lab.
func isConfig(o *unstructured.Unstructured) bool {
	return o.GetKind() == "ConfigMap" && o.GetNamespace() == ControllerNamespace && o.GetName() == ControllerConfigMap
}

// withoutConfig takes the controller's ConfigMap out of objects; it is nil if it is not among them.
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

// lent is what of labs is in the controller's namespace.
type lent struct {
	// ours has one of the lab's names, or the lab's label.
	ours []*unstructured.Unstructured
	// colliding is another lab's, and takes a node port that this lab wants.
	colliding []*unstructured.Unstructured
}

// lentTo looks for it. What neither has a label of a lab nor a name of this one is not looked at.
func lentTo(ctx context.Context, c kubernetes.Interface, l *Lab) (lent, error) {
	named := l.Named()
	wantsSystem := slices.ContainsFunc(named, func(o *unstructured.Unstructured) bool { return o.GetNamespace() == ControllerNamespace })
	var found lent
	if !wantsSystem {
		return found, nil
	}
	present, err := inventoryOf(ctx, c, ControllerNamespace, borrowable...)
	if err != nil {
		return found, err
	}
	ports := nodePorts(named)
	for _, o := range present {
		owner := o.GetLabels()[Label]
		switch {
		case owner == l.Name, find(named, keyOf(o)) != nil:
			found.ours = append(found.ours, o)
		case owner != "" && slices.ContainsFunc(nodePorts([]*unstructured.Unstructured{o}), func(p int64) bool { return slices.Contains(ports, p) }):
			found.colliding = append(found.colliding, o)
		}
	}
	return found, nil
}

func (l lent) notes() []string {
	var notes []string
	for _, o := range l.colliding {
		notes = append(notes, fmt.Sprintf("%s of lab %s has a node port that this lab needs: it is removed", kube.Describe(o), o.GetLabels()[Label]))
	}
	return notes
}

// nodePorts returns the node ports that Services ask for.
func nodePorts(objects []*unstructured.Unstructured) []int64 {
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

// claimSettings is the claim on the data of the controller's ConfigMap.
const claimSettings = "settings"

// settingsClaimed tells whether another lab, or the run of a scenario, has put data into the controller's ConfigMap and still needs
// it.
func settingsClaimed(ctx context.Context, c kubernetes.Interface, l *Lab) (bool, error) {
	list, err := c.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: scenario.LabelLock + claimSettings})
	if err != nil {
		return false, fmt.Errorf("list namespaces: %w", err)
	}
	return slices.ContainsFunc(list.Items, func(ns corev1.Namespace) bool {
		return ns.Name != l.Namespace && ns.DeletionTimestamp == nil
	}), nil
}

// configure gives the controller's ConfigMap the data of config, and none if config is nil. The note names what it had if all of it
// went; what config replaces is not said.
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
		made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: ControllerConfigMap, Namespace: ControllerNamespace}, Data: want}
		_, err = client.Create(ctx, made, metav1.CreateOptions{FieldManager: kube.FieldManager})
	case err == nil && !maps.Equal(now.Data, want):
		if len(want) == 0 {
			note = fmt.Sprintf("configmap %s/%s had %s: lab %d begins without", ControllerNamespace, ControllerConfigMap,
				strings.Join(slices.Sorted(maps.Keys(now.Data)), ", "), l.Number)
		}
		now.Data = want
		_, err = client.Update(ctx, now, metav1.UpdateOptions{FieldManager: kube.FieldManager})
	}
	if err != nil {
		return note, fmt.Errorf("configmap %s/%s: %w", ControllerNamespace, ControllerConfigMap, err)
	}
	return note, nil
}
