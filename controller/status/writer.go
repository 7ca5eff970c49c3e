package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
)

type address = networkingv1.IngressLoadBalancerIngress

// publish writes the addresses to the status of our Ingresses, and removes them from the status of
// former Ingresses. An error for one Ingress does not affect the others.
func (r *Reporter) publish(ctx context.Context, ours, former []types.NamespacedName, addresses []address) error {
	var failures []error
	for _, name := range ours {
		if err := r.setStatus(ctx, name, func([]address) []address { return addresses }); err != nil {
			failures = append(failures, err)
		}
	}
	for _, name := range former {
		if err := r.setStatus(ctx, name, func(now []address) []address { return without(now, addresses) }); err != nil {
			failures = append(failures, err)
			continue
		}
		r.forget(name)
	}
	return errors.Join(failures...)
}

// without returns no addresses if all addresses in now are ours. Otherwise it returns now, because
// another controller has written the status in the meantime.
func without(now, ours []address) []address {
	for _, one := range now {
		if !slices.ContainsFunc(ours, func(o address) bool { return o.IP == one.IP && o.Hostname == one.Hostname }) {
			return now
		}
	}
	return nil
}

// setStatus applies change to the addresses in the status of an Ingress, and writes only if they
// differ. It reads the cache first, and the API server after a conflict. It ignores a deleted
// Ingress.
func (r *Reporter) setStatus(ctx context.Context, name types.NamespacedName, change func([]address) []address) error {
	api := r.o.Client.NetworkingV1().Ingresses(name.Namespace)
	get := func() (*networkingv1.Ingress, error) { return r.o.Ingresses.Ingresses(name.Namespace).Get(name.Name) }
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		ingress, err := get()
		if err != nil {
			return err
		}
		get = func() (*networkingv1.Ingress, error) { return api.Get(ctx, name.Name, metav1.GetOptions{}) }
		now := ingress.Status.LoadBalancer.Ingress
		want := change(now)
		if equal(now, want) {
			return nil
		}
		ingress = ingress.DeepCopy()
		ingress.Status.LoadBalancer.Ingress = want
		_, err = api.UpdateStatus(ctx, ingress, metav1.UpdateOptions{})
		return err
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("ingress %s: status: %w", name, err)
	}
	return nil
}

// equal compares addresses without ports, because the controller writes no ports.
func equal(a, b []address) bool {
	return slices.EqualFunc(a, b, func(x, y address) bool { return x.IP == y.IP && x.Hostname == y.Hostname })
}

// sorted returns addresses in a fixed order without duplicates, so that lists are comparable.
func sorted(list []address) []address {
	order := func(a, b address) int { return cmp.Or(cmp.Compare(a.IP, b.IP), cmp.Compare(a.Hostname, b.Hostname)) }
	list = slices.Clone(list)
	slices.SortFunc(list, order)
	return slices.CompactFunc(list, func(a, b address) bool { return order(a, b) == 0 })
}

// withdraw clears the status of all our Ingresses if no other replica is left to serve them. ctx
// does not end with the stop signal, so withdraw has its own time limit.
func (r *Reporter) withdraw(ctx context.Context, source addressSource) {
	ctx, cancel := context.WithTimeout(ctx, withdrawTimeout)
	defer cancel()
	others, err := r.otherReplicas(ctx)
	if err != nil {
		r.o.Log.Warn("cannot find other replicas, keeping the status", "error", err)
		return
	}
	if others {
		return
	}
	addresses := source.last()
	table, _, former := r.latest()
	for _, name := range append(former, table.Ingresses()...) {
		err := r.setStatus(ctx, name, func(now []address) []address { return without(now, addresses) })
		if err != nil {
			r.o.Log.Warn("cannot withdraw status", "error", err)
		}
	}
	r.o.Log.Info("last replica: status withdrawn", "ingresses", len(table.Ingresses()))
}
