package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/simulate"
)

// simulateFlags are the flags of simulate beside those of the cluster.
type simulateFlags struct {
	spec   specFlags
	size   simulate.Size
	output string
	keep   bool
}

func (a *app) benchmarkCommand() *cobra.Command {
	var flags simulateFlags
	c := &cobra.Command{
		Use:   "benchmark",
		Short: "Fill a cluster with thousands of Ingresses and pods, and measure the controller",
		Long: `Fill an embedded cluster with Ingresses, Services and virtual pods (Ready in the API, with no
process behind them), start the controller anew in it, replace pods at a rate, and print what the
controller needs: time until it is in sync, memory, CPU, time to build a table, and how long an
endpoint change takes to reach clients.

A cluster that was not there before has one node, and is removed afterwards; from one that was
there, everything simulated is. docs/scale.md says what the figures mean.`,
		Example: `  ingresslab dev benchmark --ingresses 1000 --pods 2000 --churn 10
  ingresslab dev benchmark --ingresses 10000 --pods 20000 --churn 10 --duration 1m -o json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.simulate(c, &flags) },
	}
	flags.spec.register(c)
	f := c.Flags()
	f.Lookup("nodes").DefValue = "1" // what the help says; simulate sets it
	f.IntVar(&flags.size.Ingresses, "ingresses", 1000, "number of Ingresses, each with a host of its own")
	f.IntVar(&flags.size.Pods, "pods", 2000, "number of virtual pods")
	f.IntVar(&flags.size.Services, "services", 0, "number of Services (default: one for each Ingress)")
	f.Float64Var(&flags.size.Churn, "churn", 10, "pods to replace in a second; 0 changes nothing")
	f.DurationVar(&flags.size.Duration, "duration", 30*time.Second, "for how long to replace pods")
	f.StringVarP(&flags.output, "output", "o", outputPretty, "how to report: pretty or json")
	f.BoolVar(&flags.keep, "keep", false, "leave everything in the cluster, and the cluster")
	return c
}

func (a *app) simulate(c *cobra.Command, flags *simulateFlags) (err error) {
	if err := checkOutput(flags.output, outputPretty, outputJSON); err != nil {
		return err
	}
	if err := flags.size.Check(); err != nil {
		return simulateFault(err)
	}
	exists, err := a.chooseSimulated(c.Context())
	if err != nil {
		return err
	}
	if !exists && !c.Flags().Changed("nodes") {
		if err := c.Flags().Set("nodes", "1"); err != nil { // one controller, which has the machine to itself
			return err
		}
	}
	up, err := a.bringUp(c, &flags.spec)
	if err != nil {
		return err
	}
	remove := up.Created && !flags.keep
	if remove {
		defer func() { err = errors.Join(err, a.down(context.WithoutCancel(c.Context()))) }()
	}
	report, err := simulate.Run(c.Context(), up, simulate.Options{
		Size: flags.size, Keep: flags.keep || remove, Progress: simulateProgress{a.display},
	})
	if err != nil {
		return simulateFault(err)
	}
	if flags.output == outputJSON {
		return report.WriteJSON(a.std.Out)
	}
	return report.WriteTable(a.std.Out)
}

// chooseSimulated sees to it that the cluster is an embedded one, and reports whether it exists.
func (a *app) chooseSimulated(ctx context.Context) (exists bool, err error) {
	if a.provider != auto && a.provider != simulate.Provider {
		return false, simulateFault(&simulate.UnsupportedError{Name: a.name, Provider: a.provider})
	}
	if err := (cluster.Spec{Name: a.name}).Check(); err != nil {
		return false, err
	}
	options, err := a.options()
	if err != nil {
		return false, err
	}
	found, err := options.Find(ctx, a.name)
	if err != nil {
		return false, err
	}
	for _, f := range found {
		if f.Provider.Name() == simulate.Provider {
			a.provider = simulate.Provider
			return true, nil
		}
	}
	if len(found) > 0 && a.provider == auto {
		return false, simulateFault(&simulate.UnsupportedError{Name: a.name, Provider: found[0].Provider.Name()})
	}
	a.provider = simulate.Provider
	return false, nil
}

// simulateFault makes a usage error of what cannot be meant.
func simulateFault(err error) error {
	var limit *simulate.LimitError
	var unsupported *simulate.UnsupportedError
	if errors.As(err, &limit) || errors.As(err, &unsupported) {
		return usagef("%v", err)
	}
	return err
}

// simulateProgress shows a simulation on the display.
type simulateProgress struct{ *display }

// Begin implements simulate.Progress.
func (p simulateProgress) Begin(text string) (detail func(string), done func(error)) {
	s := p.begin(text)
	return func(text string) { p.detail(s, text) }, func(err error) { p.end(s, err) }
}
