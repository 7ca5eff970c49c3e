// Package autoselect selects the cluster provider for --cluster auto. It prefers a provider that
// has a cluster of this name. Otherwise, it takes the first in the list that can create a cluster
// without minutes of preparation. It never creates or removes a cluster.
package autoselect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// Providers is the list of all providers. The preferred one is first.
type Providers []cluster.Provider

// Found is an existing cluster.
type Found struct {
	Provider cluster.Provider
	cluster.Summary
}

// NoneError means that no provider can create a cluster.
type NoneError struct {
	Reasons []string // Reasons has one line for each provider: the problem and its fix
}

func (e *NoneError) Error() string {
	return "cannot create a cluster on this machine: " + strings.Join(e.Reasons, "; ")
}

// Find returns the clusters with this name, running ones first. It returns an error only if it
// finds no cluster.
func (ps Providers) Find(ctx context.Context, name string) ([]Found, error) {
	all, err := ps.All(ctx)
	found := slices.DeleteFunc(all, func(f Found) bool { return f.Name != name })
	slices.SortStableFunc(found, func(a, b Found) int { return rank(a.State) - rank(b.State) })
	if len(found) > 0 {
		return found, nil
	}
	return nil, err
}

// All returns the clusters of all providers, in the order of ps, and the joined errors.
func (ps Providers) All(ctx context.Context) ([]Found, error) {
	lists := make([][]cluster.Summary, len(ps))
	errs := make([]error, len(ps))
	var g errgroup.Group
	for i, p := range ps {
		g.Go(func() error {
			lists[i], errs[i] = p.List(ctx)
			return nil
		})
	}
	_ = g.Wait() // the functions return no error
	var found []Found
	for i, list := range lists {
		for _, s := range list {
			found = append(found, Found{ps[i], s})
		}
	}
	return found, errors.Join(errs...)
}

// rank returns a number for sorting. It is 0 for the most useful state, which is Running.
func rank(s cluster.State) int {
	return slices.Index([]cluster.State{cluster.Running, cluster.Stopped, cluster.HalfCreated, cluster.Absent, cluster.Unreachable}, s)
}

// Select returns the provider for Up. If several were possible, the second result says why it won.
// Without a reachable cluster, it selects a provider for a new one, or returns a *NoneError.
func (ps Providers) Select(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (cluster.Provider, string, error) {
	name := spec.WithDefaultName().Name
	found, err := ps.Find(ctx, name)
	if err != nil {
		return nil, "", err
	}
	if len(found) > 0 && found[0].State != cluster.Unreachable {
		return found[0].Provider, Ambiguity(name, found), nil
	}
	selected, line, err := ps.selectNew(ctx, spec, progress)
	switch {
	case err != nil && len(found) > 0:
		return found[0].Provider, "", nil // its Up reports the best error
	case err != nil:
		return nil, "", err
	case len(found) > 0 && selected.Name() != found[0].Provider.Name():
		line = fmt.Sprintf("%s; the %s cluster %q also exists, but is not reachable: %s", line, found[0].Provider.Name(), name, found[0].Problem)
	}
	return selected, line, nil
}

// selectNew returns the first provider that is ready, or else the first that can prepare itself.
func (ps Providers) selectNew(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (cluster.Provider, string, error) {
	var slow cluster.Provider
	var skipped, reasons []string
	for i, p := range ps {
		if !p.Info().Missing.Has(cluster.Creation) {
			continue
		}
		why, err := p.Ready(ctx, spec, progress)
		if err == nil {
			return p, line(p, ps.reason(i, why, skipped)), nil
		}
		var unready *cluster.UnreadyError
		if !errors.As(err, &unready) || ctx.Err() != nil {
			return nil, "", err
		}
		if unready.Slow && slow == nil {
			slow = p
		}
		skipped = append(skipped, join(unready.Why, unready.Fix))
		reasons = append(reasons, join(fmt.Sprintf("%s: %v", p.Name(), unready), unready.Fix))
	}
	if slow != nil {
		return slow, line(slow, "no other provider works on this machine"), nil
	}
	return nil, "", &NoneError{Reasons: reasons}
}

// reason explains why providers were skipped, or why the selected one works and how to avoid it.
func (ps Providers) reason(selected int, why string, skipped []string) string {
	if len(skipped) > 0 {
		return join(skipped...)
	}
	for _, p := range ps[selected+1:] {
		if info := p.Info(); info.Instead != "" && info.Missing.Has(cluster.Creation) {
			return join(why, info.Instead)
		}
	}
	return why
}

// line tells the user which provider is selected.
func line(selected cluster.Provider, reason string) string {
	if reason != "" {
		reason = ": " + reason
	}
	return "using " + selected.Info().Noun + reason
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

// Ambiguity says which cluster is used if several have this name. Otherwise, it returns "".
func Ambiguity(name string, found []Found) string {
	if len(found) < 2 {
		return ""
	}
	var others []string
	for _, f := range found[1:] {
		others = append(others, "--cluster "+f.Provider.Name())
	}
	return fmt.Sprintf("%d clusters are named %q: using the %s cluster; pass %s for the other",
		len(found), name, found[0].Provider.Name(), strings.Join(others, " or "))
}
