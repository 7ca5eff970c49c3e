package existing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// The label of every object in manifests/
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/).
const (
	ownerLabel = "app.kubernetes.io/part-of"
	owner      = "ingresslab"
)

// selectors match what ingresslab creates: its installation, and the objects of labs and scenarios.
var selectors = []string{ownerLabel + "=" + owner, "ingresslab.dev/lab", "ingresslab.dev/run"}

// kinds are the cluster-scoped kinds that ingresslab creates.
var kinds = []struct{ apiVersion, kind string }{
	{"v1", "Namespace"},
	{"networking.k8s.io/v1", "IngressClass"},
	{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding"},
	{"rbac.authorization.k8s.io/v1", "ClusterRole"},
	{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"},
}

// ForeignError means that objects of others have names that ingresslab needs.
type ForeignError struct {
	Context string
	// Objects are descriptions: "clusterrole ingresslab:ingress-controller".
	Objects []string
}

func (e *ForeignError) Error() string {
	exist := "already exists"
	if len(e.Objects) > 1 {
		exist = "already exist"
	}
	return fmt.Sprintf("context %q: %s %s without label %s=%s; ingresslab does not overwrite it, so use another --context",
		e.Context, strings.Join(e.Objects, ", "), exist, ownerLabel, owner)
}

func (p *provider) CheckInstall(ctx context.Context, c *cluster.Cluster, objects []*unstructured.Unstructured) error {
	k, err := kube.New(c.Config)
	if err != nil {
		return err
	}
	rec, err := p.load(c.Name)
	if err != nil {
		return err
	}
	if err := refuseForeign(ctx, k, rec.Context, objects); err != nil {
		return err
	}
	if rec.Agreed || isLocal(rec.Server) {
		return nil
	}
	question, err := describeChanges(k, rec, objects)
	if err != nil {
		return err
	}
	if err := p.options.Confirm(ctx, question); err != nil {
		return err
	}
	rec.Agreed = true
	return p.store.Save(c.Name, rec)
}

// refuseForeign returns a *ForeignError if objects would overwrite an unlabeled object.
func refuseForeign(ctx context.Context, k *kube.Client, context string, objects []*unstructured.Unstructured) error {
	foreign := &ForeignError{Context: context}
	for _, o := range objects {
		current, err := k.Get(ctx, o)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return err
		case current.GetLabels()[ownerLabel] != owner:
			foreign.Objects = append(foreign.Objects, kube.Describe(o))
		}
	}
	if len(foreign.Objects) > 0 {
		return foreign
	}
	return nil
}

// describeChanges lists the objects to create, for the user to confirm.
func describeChanges(k *kube.Client, rec *record, objects []*unstructured.Unstructured) (string, error) {
	var clusterScoped []string
	inNamespace := map[string]int{}
	for _, o := range objects {
		namespaced, err := k.Namespaced(o)
		if err != nil {
			return "", err
		}
		if namespaced {
			inNamespace[o.GetNamespace()]++
		} else {
			clusterScoped = append(clusterScoped, kube.Describe(o))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The API server of context %q is %s, which is not this machine. ingresslab creates there:\n", rec.Context, rec.Server)
	fmt.Fprintf(&b, "  for the whole cluster: %s\n", strings.Join(clusterScoped, ", "))
	for namespace, n := range inNamespace {
		fmt.Fprintf(&b, "  in namespace %s: %d objects, including the controller's pods\n", namespace, n)
	}
	fmt.Fprintf(&b, "  a namespace for each lab, and for each scenario while it runs\n")
	fmt.Fprintf(&b, "`ingresslab down` removes all of them. ingresslab changes no other object.")
	return b.String(), nil
}

// remove deletes all labeled objects and waits for the namespaces. It continues after an error.
func remove(ctx context.Context, k *kube.Client) error {
	var errs []error
	var namespaces []string
	for _, selector := range selectors {
		for _, of := range kinds {
			list, err := k.List(ctx, of.apiVersion, of.kind, selector)
			if meta.IsNoMatchError(err) {
				continue
			}
			errs = append(errs, err)
			for i := range list {
				if of.kind == "Namespace" {
					namespaces = append(namespaces, list[i].GetName())
				}
				errs = append(errs, k.Delete(ctx, &list[i]))
			}
		}
	}
	for _, n := range namespaces {
		errs = append(errs, k.DeleteNamespace(ctx, n, true))
	}
	return errors.Join(errs...)
}
