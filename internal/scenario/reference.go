package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// kinds are the kinds that KIND/NAME may name: what labs are made of.
var kinds = map[string]schema.GroupVersionKind{
	"configmap":      {Version: "v1", Kind: "ConfigMap"},
	"daemonset":      {Group: "apps", Version: "v1", Kind: "DaemonSet"},
	"deployment":     {Group: "apps", Version: "v1", Kind: "Deployment"},
	"endpointslice":  {Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"},
	"ingress":        {Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
	"job":            {Group: "batch", Version: "v1", Kind: "Job"},
	"lease":          {Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"},
	"networkpolicy":  {Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	"pod":            {Version: "v1", Kind: "Pod"},
	"replicaset":     {Group: "apps", Version: "v1", Kind: "ReplicaSet"},
	"secret":         {Version: "v1", Kind: "Secret"},
	"service":        {Version: "v1", Kind: "Service"},
	"serviceaccount": {Version: "v1", Kind: "ServiceAccount"},
	"statefulset":    {Group: "apps", Version: "v1", Kind: "StatefulSet"},
}

// clusterKinds are kinds without a namespace that can be looked at.
var clusterKinds = map[string]schema.GroupVersionKind{
	"ingressclass": {Group: "networking.k8s.io", Version: "v1", Kind: "IngressClass"},
	"namespace":    {Version: "v1", Kind: "Namespace"},
	"node":         {Version: "v1", Kind: "Node"},
}

// referenceError says what is wrong with a KIND/NAME.
type referenceError struct {
	text, nearest string
}

func (e *referenceError) Error() string { return e.text }

// parseReference turns KIND/NAME into an object that has only these two. The kind is one that has a namespace.
func parseReference(text string) (*unstructured.Unstructured, *referenceError) {
	return reference(text, kinds, "is neither a manifest file (.yaml, .yml or .json) nor KIND/NAME, such as ingress/web",
		"; use its manifest file")
}

// parseObject turns KIND/NAME into an object to look at or to change, of any kind: one that is not known here is written
// KIND.VERSION.GROUP, such as certificate.v1.cert-manager.io.
func parseObject(text string) (*unstructured.Unstructured, *referenceError) {
	kind, name, _ := strings.Cut(text, "/")
	if gvk, _ := schema.ParseKindArg(kind); gvk != nil && name != "" && !strings.Contains(name, "/") {
		return named(*gvk, name), nil
	}
	all := maps.Clone(kinds)
	maps.Copy(all, clusterKinds)
	return reference(text, all, "is not KIND/NAME, such as ingress/web",
		"; write it KIND.VERSION.GROUP, such as Certificate.v1.cert-manager.io")
}

// isClusterWide tells an object of a kind that is known to have no namespace.
func isClusterWide(o *unstructured.Unstructured) bool {
	_, is := clusterKinds[strings.ToLower(o.GetKind())]
	return is
}

func reference(text string, all map[string]schema.GroupVersionKind, isNot, otherwise string) (*unstructured.Unstructured, *referenceError) {
	kind, name, found := strings.Cut(text, "/")
	known := slices.Sorted(maps.Keys(all))
	gvk, isKind := all[strings.ToLower(kind)]
	switch {
	case !found || name == "" || strings.Contains(name, "/"):
		return nil, &referenceError{text: fmt.Sprintf("%q %s", text, isNot)}
	case !isKind:
		return nil, &referenceError{
			text:    fmt.Sprintf("%q is not a kind that can be named here (%s)%s", kind, strings.Join(known, ", "), otherwise),
			nearest: strictyaml.Nearest(kind, known),
		}
	}
	return named(gvk, name), nil
}

func named(gvk schema.GroupVersionKind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(gvk)
	o.SetName(name)
	return o
}
