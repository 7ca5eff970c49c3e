package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/compare"
	"github.com/ingresslab/ingresslab/internal/deploy"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// parityFlags are the flags of parity.
type parityFlags struct {
	nodes  int
	output string
	file   string
	keep   bool
}

// parityDownTimeout bounds the removal of a cluster that was made for the comparison.
const parityDownTimeout = 2 * time.Minute

func (a *app) compareCommand() *cobra.Command {
	var flags parityFlags
	c := &cobra.Command{
		Use:   "compare [SCENARIO...]",
		Short: "Compare what scenarios come to on kind and on embedded",
		Long: `Run scenarios, all of them if none is named, on a kind cluster and then on an embedded one,
and show where they differ: how a scenario ended, in which step, and what was not as expected.
The clusters are those of the name that exist, else NAME-kind and NAME-embedded, which are
made and removed again. The exit code is 1 if the two differ, 3 if one of them cannot be had.`,
		Example: `  ingresslab dev compare
  ingresslab dev compare 'conformance-*' -o json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return a.parity(c, args, &flags) },
	}
	f := c.Flags()
	f.IntVar(&flags.nodes, "nodes", cluster.DefaultNodes, "nodes of each new cluster, the control plane included")
	f.StringVarP(&flags.output, "output", "o", outputPretty, "how to report: pretty or json")
	f.StringVar(&flags.file, "output-file", "", "write the json report to this file")
	f.BoolVar(&flags.keep, "keep", false, "leave the clusters that were made")
	return c
}

func (a *app) parity(c *cobra.Command, args []string, flags *parityFlags) error {
	spec, err := a.paritySpec(c, flags)
	if err != nil {
		return err
	}
	scenarios, err := a.loadScenarios(args)
	if err != nil {
		return err
	}
	file, err := openReport(flags.file)
	if err != nil {
		return err
	}
	defer file.discard()
	places, err := a.parityPlaces(c.Context(), spec)
	if err != nil {
		return err
	}
	var sides []compare.Side
	code := ExitOK
	for _, p := range places {
		reports, ended, err := a.runPlace(c.Context(), p, scenarios, flags.keep)
		if err != nil {
			return fmt.Errorf("on %s: %w", p.provider.Name(), err)
		}
		sides = append(sides, compare.Side{Cluster: p.provider.Name(), Reports: reports})
		code = worse(code, ended)
		if c.Context().Err() != nil {
			return context.Cause(c.Context()) // half a comparison says that the rest differs
		}
	}
	comparison := compare.Compare(sides[0], sides[1])
	if flags.output == outputPretty {
		if err := compare.WriteTable(a.std.Out, comparison); err != nil {
			return err
		}
	}
	return a.report(flags.output, file, parityCode(comparison, code), func(w io.Writer) error { return compare.WriteJSON(w, comparison) })
}

// parityCode is the exit code of a comparison, where code is the worst of what the scenarios ended with. What a scenario
// comes to is not judged, unless the lab itself is broken.
func parityCode(c compare.Comparison, code int) int {
	switch {
	case code == ExitBroken:
		return code
	case len(c.Differences()) > 0:
		return ExitFailed
	}
	return ExitOK
}

// paritySpec is what both clusters are to be.
func (a *app) paritySpec(c *cobra.Command, flags *parityFlags) (cluster.Spec, error) {
	spec := cluster.Spec{Name: a.name, HTTPPort: cluster.AnyPort, HTTPSPort: cluster.AnyPort, StatusPort: cluster.AnyPort}
	if a.provider != auto {
		return spec, usagef("dev compare runs on %s and on %s: --cluster %s makes no sense", kind.Name, embedded.Name, a.provider)
	}
	if err := checkOutput(flags.output, outputPretty, outputJSON); err != nil {
		return spec, err
	}
	if flags.file != "" && flags.output == outputPretty {
		return spec, usagef("--output-file: needs -o json")
	}
	if c.Flags().Changed("nodes") {
		if flags.nodes < 1 {
			return spec, &cluster.SpecError{Flag: "--nodes", Why: fmt.Sprintf("%d is not between 1 and %d", flags.nodes, cluster.MaxNodes)}
		}
		spec.Nodes = flags.nodes
	}
	if err := spec.Check(); err != nil {
		return spec, err
	}
	// The longer of the names that may be made of it must be one, too.
	longest := spec
	longest.Name = ownName(a.name, embedded.Name)
	return spec, longest.Check()
}

// place is where the scenarios run.
type place struct {
	provider cluster.Provider
	spec     cluster.Spec
}

// ownName is the name of a cluster that is made for a comparison.
func ownName(name, provider string) string { return name + "-" + provider }

// parityPlaces finds or names the two clusters. Both can be had: nothing runs for minutes on the first before the second
// turns out to be impossible.
func (a *app) parityPlaces(ctx context.Context, spec cluster.Spec) ([]place, error) {
	options, err := a.options()
	if err != nil {
		return nil, err
	}
	var places []place
	for _, name := range []string{kind.Name, embedded.Name} {
		for _, o := range options {
			if o.Provider.Name() != name {
				continue
			}
			p, err := a.parityPlace(ctx, o, spec)
			if err != nil {
				return nil, err
			}
			places = append(places, p)
		}
	}
	if len(places) != 2 {
		return nil, fmt.Errorf("dev compare needs %s and %s: this program was built without one of them", kind.Name, embedded.Name)
	}
	return places, nil
}

// parityPlace takes the provider's running cluster of the name, else the one that an earlier comparison kept, else a new one.
func (a *app) parityPlace(ctx context.Context, o autoselect.Option, spec cluster.Spec) (place, error) {
	own := ownName(spec.Name, o.Provider.Name())
	found, err := o.Provider.List(ctx)
	if err != nil {
		return place{}, err
	}
	for _, name := range []string{spec.Name, own} {
		for _, s := range found {
			if s.Name == name && s.State == cluster.Running {
				spec.Name = name
				return place{o.Provider, spec}, nil
			}
		}
	}
	spec.Name = own
	_, err = o.Ready(ctx, spec, a.display)
	var unready *autoselect.UnreadyError
	if errors.As(err, &unready) {
		return place{}, fmt.Errorf("dev compare needs %s: %w; %s", o.What, unready, parityRemedy(unready))
	}
	return place{o.Provider, spec}, err
}

// parityRemedy says what to do first, where the choice among providers would say how to do without.
func parityRemedy(e *autoselect.UnreadyError) string {
	if e.Slow {
		return "`ingresslab build node-image` builds one, in some ten minutes"
	}
	return cmp.Or(e.Remedy, "see docs/embedded.md")
}

// runPlace brings a cluster up, runs the scenarios on it, and removes it if it was made for that.
func (a *app) runPlace(ctx context.Context, p place, scenarios []*scenario.Scenario, keep bool) (reports []*scenario.Report, code int, err error) {
	root, err := a.checkout()
	if err != nil {
		return nil, ExitBroken, err
	}
	a.display.Note(fmt.Sprintf("scenarios on %s: cluster %q", p.provider.Name(), p.spec.Name))
	up, err := deploy.Lab{Provider: p.provider, Root: root, Progress: a.display}.Up(ctx, p.spec)
	if err != nil {
		return nil, ExitBroken, err
	}
	if up.Created && !keep {
		defer func() {
			down, cancel := context.WithTimeout(context.WithoutCancel(ctx), parityDownTimeout)
			defer cancel()
			err = errors.Join(err, p.provider.Down(down, up.Name, a.display))
		}()
	}
	env, err := scenario.NewEnv(up)
	if err != nil {
		return nil, ExitBroken, err
	}
	reports, code = many{app: a, out: a.std.Err, parallel: scenario.DefaultParallel}.scenarios(ctx, scenarios, env)
	return reports, code, nil
}
