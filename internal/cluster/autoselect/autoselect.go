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

// Option is a provider that may be chosen.
type Option struct {
	Provider cluster.Provider
	// What completes "using ": "a kind cluster".
	What string
	// Ready says why a cluster as spec wants it can be made at once ("a Docker engine answers and has the node image"). The
	// error is an *UnreadyError if it cannot. A provider without Ready is never chosen for a new cluster.
	Ready func(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (why string, err error)
	// Instead says how to have the provider when another one was chosen: "--cluster embedded needs no Docker".
	Instead string
}

// UnreadyError says that a provider cannot make a cluster at once.
type UnreadyError struct {
	// Why completes "using another: ": "no Docker engine answers".
	Why string
	// Cause is what the attempt came to; nil if Why says it all.
	Cause error
	// Remedy says how to have the provider nevertheless: "--cluster kind builds it".
	Remedy string
	// Slow means that the provider can do it, given minutes.
	Slow bool
}

func (e *UnreadyError) Error() string {
	text := e.Why
	if e.Cause != nil {
		text += " (" + strings.TrimSuffix(e.Cause.Error(), ".") + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *UnreadyError) Unwrap() error { return e.Cause }

// NoneError says that no provider can make a cluster here.
type NoneError struct {
	// Reasons are one line for each provider: what is wrong and what to do about it.
	Reasons []string
}

func (e *NoneError) Error() string {
	return "no cluster can be made on this machine: " + strings.Join(e.Reasons, "; ")
}

// Options are the providers, the most real first.
type Options []Option

// Found is a cluster that exists.
type Found struct {
	Option
	cluster.Summary
}

// Find returns the clusters of a name, the most useful first: running before stopped, then in the order of the options. What
// one provider cannot tell is no reason not to find another's; the error is what all had to say when nothing was found.
func (o Options) Find(ctx context.Context, name string) ([]Found, error) {
	all, err := o.All(ctx)
	found := slices.DeleteFunc(all, func(f Found) bool { return f.Name != name })
	slices.SortStableFunc(found, func(a, b Found) int { return rank(a.State) - rank(b.State) })
	if len(found) > 0 {
		return found, nil
	}
	return nil, err
}

// All returns every cluster of every provider, in the order of the options, and what went wrong in asking.
func (o Options) All(ctx context.Context) ([]Found, error) {
	lists := make([][]cluster.Summary, len(o))
	errs := make([]error, len(o))
	var g errgroup.Group
	for i, option := range o {
		g.Go(func() error {
			lists[i], errs[i] = option.Provider.List(ctx)
			return nil
		})
	}
	_ = g.Wait() // the functions return none
	var found []Found
	for i, list := range lists {
		for _, s := range list {
			found = append(found, Found{o[i], s})
		}
	}
	return found, errors.Join(errs...)
}

// rank orders states by how much can be done with a cluster in them, most first.
func rank(s cluster.State) int {
	return slices.Index([]cluster.State{cluster.Running, cluster.Stopped, cluster.HalfCreated, cluster.Absent, cluster.Unreachable}, s)
}

// Choose returns the provider that is to bring up a cluster, and a line that says which it is and why; the line is empty
// where a cluster of the name exists and nothing had to be chosen. A cluster that cannot be reached is passed over when
// another can be had. The error is a *NoneError if none can.
func (o Options) Choose(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (cluster.Provider, string, error) {
	name := spec.WithDefaultName().Name
	found, err := o.Find(ctx, name)
	if err != nil {
		return nil, "", err
	}
	if len(found) > 0 && found[0].State != cluster.Unreachable {
		return found[0].Provider, Ambiguity(name, found), nil
	}
	chosen, line, err := o.choose(ctx, spec, progress)
	switch {
	case err != nil && len(found) > 0:
		return found[0].Provider, "", nil // it says best itself what it lacks
	case err != nil:
		return nil, "", err
	case len(found) > 0 && chosen.Name() != found[0].Provider.Name():
		line = fmt.Sprintf("%s; there is a cluster %q made with %s, too, and it cannot be reached: %s", line, name, found[0].Provider.Name(), found[0].Problem)
	}
	return chosen, line, nil
}

// choose looks for the first option that is ready, else for the first that is only slow.
func (o Options) choose(ctx context.Context, spec cluster.Spec, progress cluster.Progress) (cluster.Provider, string, error) {
	var slow *Option
	var passed []*UnreadyError
	var reasons []string
	for i, option := range o {
		if option.Ready == nil {
			continue
		}
		why, err := option.Ready(ctx, spec, progress)
		if err == nil {
			return option.Provider, line(option, o.reason(i, why, passed)), nil
		}
		var unready *UnreadyError
		if !errors.As(err, &unready) || ctx.Err() != nil {
			return nil, "", err
		}
		if unready.Slow && slow == nil {
			slow = &o[i]
		}
		passed = append(passed, unready)
		reasons = append(reasons, join(fmt.Sprintf("%s: %v", option.Provider.Name(), unready), unready.Remedy))
	}
	if slow != nil {
		return slow.Provider, line(*slow, "no other can be made here"), nil
	}
	return nil, "", &NoneError{Reasons: reasons}
}

// reason says what was passed over and how to get it. If nothing was, it says what is good about the chosen one, and what
// else there is.
func (o Options) reason(chosen int, why string, passed []*UnreadyError) string {
	var parts []string
	for _, p := range passed {
		parts = append(parts, join(p.Why, p.Remedy))
	}
	if len(parts) > 0 {
		return join(parts...)
	}
	for _, option := range o[chosen+1:] {
		if option.Instead != "" && option.Ready != nil {
			return join(why, option.Instead)
		}
	}
	return why
}

// line is what a person reads about a choice.
func line(chosen Option, reasons ...string) string {
	if text := join(reasons...); text != "" {
		return "using " + chosen.What + ": " + text
	}
	return "using " + chosen.What
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

// Ambiguity says which of several clusters of one name is used; empty if there is only one.
func Ambiguity(name string, found []Found) string {
	if len(found) < 2 {
		return ""
	}
	var others []string
	for _, f := range found[1:] {
		others = append(others, "--cluster "+f.Provider.Name())
	}
	return fmt.Sprintf("there are %d clusters %q: using the one made with %s; %s means the other",
		len(found), name, found[0].Provider.Name(), strings.Join(others, " or "))
}
