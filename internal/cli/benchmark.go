package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/benchmark"
	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
)

type benchmarkFlags struct {
	spec specFlags
	size benchmark.Size
	outputFlags
	keep bool
}

func (a *app) benchmarkCommand() *cobra.Command {
	var flags benchmarkFlags
	c := &cobra.Command{
		Use:   "benchmark",
		Short: "Measure the controller with thousands of Ingresses and pods",
		Long: `Create Ingresses, Services, and virtual pods (Ready in the API, but without a process) in an embedded
cluster. Restart the controller, replace pods at a fixed rate, and print the time to sync, memory, CPU,
the time to build a table, and the time until an endpoint change reaches clients. docs/scale.md
explains the metrics.

If the cluster does not exist, the command creates one with one node, and deletes it afterwards. In a
cluster that exists, it deletes only the objects of the benchmark.`,
		Example: `  ingresslab dev benchmark --ingresses 1000 --pods 2000 --churn 10
  ingresslab dev benchmark --ingresses 10000 --pods 20000 --churn 10 --duration 1m -o json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchmark(c, &flags) },
	}
	flags.spec.register(c)
	f := c.Flags()
	f.Lookup("nodes").DefValue = "1" // for the help; benchmark sets the value
	f.IntVar(&flags.size.Ingresses, "ingresses", 1000, "number of Ingresses, each with its own host")
	f.IntVar(&flags.size.Pods, "pods", 2000, "number of virtual pods")
	f.IntVar(&flags.size.Services, "services", 0, "number of Services (default: one for each Ingress)")
	f.Float64Var(&flags.size.Churn, "churn", 10, "number of pods to replace per second; 0 replaces none")
	f.DurationVar(&flags.size.Duration, "duration", 30*time.Second, "how long to replace pods")
	flags.register(c, outputPretty, outputJSON)
	f.BoolVar(&flags.keep, "keep", false, "keep the cluster and all objects in it")
	return c
}

func (a *app) benchmark(c *cobra.Command, flags *benchmarkFlags) (err error) {
	if err := flags.check(); err != nil {
		return err
	}
	if err := flags.size.Check(); err != nil {
		return benchmarkError(err)
	}
	exists, err := a.selectEmbedded(c.Context())
	if err != nil {
		return err
	}
	if !exists && !c.Flags().Changed("nodes") {
		if err := c.Flags().Set("nodes", "1"); err != nil { // a single controller uses the whole machine
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
	report, err := benchmark.Run(c.Context(), up, benchmark.Options{
		Size: flags.size, Keep: flags.keep || remove, Progress: a.display,
	})
	if err != nil {
		return benchmarkError(err)
	}
	if flags.output == outputJSON {
		return report.WriteJSON(a.std.Out)
	}
	return report.WriteTable(a.std.Out)
}

// selectEmbedded selects the embedded provider, and reports whether the cluster exists. Another provider is an error.
func (a *app) selectEmbedded(ctx context.Context) (exists bool, err error) {
	if a.provider != auto && a.provider != benchmark.Provider {
		return false, benchmarkError(&benchmark.UnsupportedError{Name: a.name, Provider: a.provider})
	}
	if err := (cluster.Spec{Name: a.name}).Check(); err != nil {
		return false, err
	}
	found, err := a.options().Find(ctx, a.name)
	if err != nil {
		return false, err
	}
	exists = slices.ContainsFunc(found, func(f autoselect.Found) bool { return f.Provider.Name() == benchmark.Provider })
	if !exists && len(found) > 0 && a.provider == auto {
		return false, benchmarkError(&benchmark.UnsupportedError{Name: a.name, Provider: found[0].Provider.Name()})
	}
	a.provider = benchmark.Provider
	return exists, nil
}

// benchmarkError turns an error in the flags into a usage error.
func benchmarkError(err error) error {
	var limit *benchmark.LimitError
	var unsupported *benchmark.UnsupportedError
	if errors.As(err, &limit) || errors.As(err, &unsupported) {
		return usagef("%v", err)
	}
	return err
}
