package scenario

import (
	"bytes"
	"context"
	"path"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/jsonpath"

	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/probe"
)

// seeField looks whether an object is there, or gone, and whether its field is as it has to be.
func (r *runner) seeField(ctx context.Context, w Wait) look {
	o, err := r.object(w.Object, w.Namespace)
	if err != nil {
		return look{err: err}
	}
	got, err := r.env.Kube.Get(ctx, o)
	isGone := apierrors.IsNotFound(err) || meta.IsNoMatchError(err)
	differs := func(field, expected, observed string) look {
		return look{mismatches: []probe.Mismatch{{Field: field, Expected: expected, Observed: observed}}}
	}
	switch {
	case err != nil && !isGone:
		return look{err: err}
	case w.Exists != nil && !*w.Exists && !isGone:
		return differs(kube.Describe(o), "gone", stillThere(got))
	case w.Exists != nil && !*w.Exists:
		return look{}
	case isGone:
		return differs(kube.Describe(o), "there", "there is no such object")
	case w.JSONPath == "":
		return look{}
	}
	value, err := fieldOf(got, w.JSONPath)
	if err != nil {
		return look{err: err}
	}
	wanted := r.names.text(*w.Value)
	if probe.MatchPattern(wanted, value) {
		return look{}
	}
	return differs(w.JSONPath+" of "+kube.Describe(o), orEmpty(wanted), orEmpty(value))
}

// parseJSONPath reads a path in kubectl's notation. A missing field is empty.
func parseJSONPath(text string) (*jsonpath.JSONPath, error) {
	p := jsonpath.New("jsonpath").AllowMissingKeys(true)
	return p, p.Parse(text)
}

// fieldOf returns the field of an object as kubectl get -o jsonpath prints it: several results are joined by spaces.
func fieldOf(o *unstructured.Unstructured, text string) (string, error) {
	p, err := parseJSONPath(text)
	if err != nil {
		return "", err
	}
	var value bytes.Buffer
	if err := p.Execute(&value, o.Object); err != nil {
		return "", err
	}
	return value.String(), nil
}

func orEmpty(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}

func describeObject(o *unstructured.Unstructured) string {
	return path.Join(strings.ToLower(o.GetKind()), o.GetName())
}
