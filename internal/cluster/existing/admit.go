package existing

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// The label that everything in manifests/ carries
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/).
const (
	ownerLabel = "app.kubernetes.io/part-of"
	owner      = "ingresslab"
)

// ForeignError says that somebody else's objects have names that the lab needs.
type ForeignError struct {
	Context string
	// Objects are described as in "clusterrole ingresslab:ingress-controller".
	Objects []string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("context %q: %s: there already, without the label %s=%s: somebody else's, and not overwritten",
		e.Context, strings.Join(e.Objects, ", "), ownerLabel, owner)
}

// Admit implements cluster.Guest.
func (p *Provider) Admit(ctx context.Context, c *cluster.Cluster, objects []*unstructured.Unstructured, _ cluster.Progress) error {
	k, err := client(c)
	if err != nil {
		return err
	}
	rec, err := p.known(c.Name)
	if err != nil {
		return err
	}
	if err := refuseForeign(ctx, k, rec.Context, objects); err != nil {
		return err
	}
	if rec.Agreed || isLocal(rec.Server) {
		return nil
	}
	question, err := describe(k, rec, objects)
	if err != nil {
		return err
	}
	if err := p.options.Ask(ctx, question); err != nil {
		return err
	}
	rec.Agreed = true
	return p.store.Save(c.Name, rec)
}

// refuseForeign returns a *ForeignError if objects would overwrite what does not carry the lab's label.
func refuseForeign(ctx context.Context, k *kube.Client, context string, objects []*unstructured.Unstructured) error {
	foreign := &ForeignError{Context: context}
	for _, o := range objects {
		has, err := k.Get(ctx, o)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return err
		case has.GetLabels()[ownerLabel] != owner:
			foreign.Objects = append(foreign.Objects, kube.Describe(o))
		}
	}
	if len(foreign.Objects) > 0 {
		return foreign
	}
	return nil
}

// describe says what would be made where, for a person to agree to.
func describe(k *kube.Client, rec *record, objects []*unstructured.Unstructured) (string, error) {
	var wide []string
	inside := map[string]int{}
	for _, o := range objects {
		namespaced, err := k.Namespaced(o)
		if err != nil {
			return "", err
		}
		if namespaced {
			inside[o.GetNamespace()]++
		} else {
			wide = append(wide, kube.Describe(o))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "context %q is the API server at %s, which is not this machine. Made there would be:\n", rec.Context, rec.Server)
	fmt.Fprintf(&b, "  for the whole cluster: %s\n", strings.Join(wide, ", "))
	for namespace, n := range inside {
		fmt.Fprintf(&b, "  in namespace %s: %d objects, among them the controller's pods\n", namespace, n)
	}
	fmt.Fprintf(&b, "  and a namespace for each lab and each scenario while it runs.\n")
	fmt.Fprintf(&b, "`ingresslab down` removes all of it. Nothing else is touched.")
	return b.String(), nil
}
