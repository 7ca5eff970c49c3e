package cli

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson/replay"
	"github.com/ingresslab/ingresslab/internal/text"
)

func (a *app) devCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dev",
		Short: "Test and maintain labs and scenarios",
		Long:  "Commands for authors of labs and scenarios, and for developers of the controller.",
		Example: `  ingresslab dev lint                # check all scenario and lab files
  ingresslab dev test 1 canary       # test a lab and a scenario, with their mutants`,
	}
	asGroup(c)
	c.AddCommand(
		a.testCommand(), a.compareCommand(), a.lintCommand(),
		a.replayCommand("verify", "Compare recorded lesson outputs with actual outputs", replay.Verify),
		a.replayCommand("record", "Write actual outputs into lessons", replay.Record),
		a.benchmarkCommand())
	return c
}

func (a *app) lintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint [PATH...]",
		Short: "Check scenario and lab files for errors",
		Long: `Check scenario and lab files for unknown fields, missing manifests, and invalid durations or URLs.
Without arguments, check all files of the checkout. The command prints each error on one line, with
file, line, and column. The exit code is 1 if there are errors.`,
		Example: "  ingresslab dev lint scenarios/host-routing",
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				root, err := a.checkout()
				if err != nil {
					return err
				}
				args = []string{
					relative(filepath.Join(root, scenariosDir)),
					relative(filepath.Join(root, labsDir)),
				}
			}
			return a.lint(args)
		},
	}
}

func (a *app) lint(paths []string) error {
	diagnostics, files, err := lab.Lint(paths)
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("lint: %v", err)
	}
	if err != nil {
		return err
	}
	for _, f := range diagnostics {
		printf(a.std.Out, "%s\n", f)
	}
	if len(diagnostics) > 0 {
		printf(a.std.Err, "✗ %s (%s checked)\n", text.Count(len(diagnostics), "error"), text.Count(len(files), "file"))
		return &outcome{ExitFailed}
	}
	printf(a.std.Err, "✓ no errors (%s checked)\n", text.Count(len(files), "file"))
	return nil
}
