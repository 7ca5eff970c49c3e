package existing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// goneTimeout bounds the wait until the namespaces are gone, which takes as long as their pods take to stop.
const goneTimeout = 2 * time.Minute

// selectors find what the lab made: its installation, and what labs and scenarios left.
var selectors = []string{ownerLabel + "=" + owner, "ingresslab.dev/lab", "ingresslab.dev/run"}

// kinds are those that the lab makes and that are in no namespace.
var kinds = []struct{ apiVersion, kind string }{
	{"v1", "Namespace"},
	{"networking.k8s.io/v1", "IngressClass"},
	{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding"},
	{"rbac.authorization.k8s.io/v1", "ClusterRole"},
	{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"},
}

// Down implements cluster.Provider: it removes from the cluster what carries the lab's labels, and forgets the cluster, which
// itself stays.
func (p *Provider) Down(ctx context.Context, name string, progress cluster.Progress) (err error) {
	c, err := p.Get(ctx, name)
	var none *cluster.NotFoundError
	if errors.As(err, &none) {
		progress.Note(fmt.Sprintf("there is no cluster %q", name))
		return nil
	}
	if err != nil {
		return err
	}
	k, err := client(c)
	if err != nil {
		return err
	}
	done := progress.Step("Removing what ingresslab made in cluster " + name)
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	if err := remove(ctx, k); err != nil {
		return err
	}
	return p.store.Forget(name)
}

// remove deletes everything with the lab's labels, and waits until the namespaces are gone. It goes on after an error.
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
