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

// kinds are the kinds that KIND/NAME may name: what labs are made of. Anything else is deleted by its manifest.
var kinds = map[string]schema.GroupVersionKind{
	"configmap":  {Version: "v1", Kind: "ConfigMap"},
	"daemonset":  {Group: "apps", Version: "v1", Kind: "DaemonSet"},
	"deployment": {Group: "apps", Version: "v1", Kind: "Deployment"},
	"ingress":    {Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
	"pod":        {Version: "v1", Kind: "Pod"},
	"secret":     {Version: "v1", Kind: "Secret"},
	"service":    {Version: "v1", Kind: "Service"},
}

// referenceError says what is wrong with a KIND/NAME.
type referenceError struct {
	text, nearest string
}

func (e *referenceError) Error() string { return e.text }

// parseReference turns KIND/NAME into an object that has only these two.
func parseReference(text string) (*unstructured.Unstructured, *referenceError) {
	kind, name, found := strings.Cut(text, "/")
	known := slices.Sorted(maps.Keys(kinds))
	gvk, isKind := kinds[strings.ToLower(kind)]
	switch {
	case !found || name == "" || strings.Contains(name, "/"):
		return nil, &referenceError{text: fmt.Sprintf("%q is neither a manifest file (.yaml, .yml or .json) nor KIND/NAME, such as ingress/web", text)}
	case !isKind:
		return nil, &referenceError{
			text:    fmt.Sprintf("%q is not a kind that can be named here (%s); use its manifest file", kind, strings.Join(known, ", ")),
			nearest: strictyaml.Nearest(kind, known),
		}
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(gvk)
	o.SetName(name)
	return o, nil
}
