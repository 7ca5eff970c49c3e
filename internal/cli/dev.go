package cli

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

// renamed maps each command and flag of version 0.1 to its new name. Remove it in the version after the next.
var renamed = map[string]string{
	"labs":                "list",
	"logs":                "export-logs",
	"prove":               "dev test",
	"parity":              "dev compare",
	"lint":                "dev lint",
	"lesson":              "dev",
	"lesson verify":       "dev verify",
	"lesson record":       "dev record",
	"simulate":            "dev benchmark",
	"image node":          "build node-image",
	"image control-plane": "build control-plane",
	"image kubectl":       "build kubectl",
	"lab --start":         "start",
	"learn --forget":      "learn --reset-progress",
	"check --hint":        "check --hint-level",
	"explain --draw":      "explain --random",
	"run --from":          "run --from-step",
	"run --until":         "run --until-step",
	"run --run":           "run --run-id",
	"dev test --again":    "dev test --retry",
}

// addRenamed adds a hidden command for each old command below parent. It fails and gives the new name.
func addRenamed(parent *cobra.Command) {
	for _, c := range parent.Commands() {
		addRenamed(c)
	}
	prefix := commandName(parent)
	for old := range renamed {
		name, below := strings.CutPrefix(old, prefix)
		if !below || strings.Contains(name, " ") {
			continue
		}
		parent.AddCommand(&cobra.Command{
			Use: name, Hidden: true, DisableFlagParsing: true,
			RunE: func(_ *cobra.Command, args []string) error {
				for _, arg := range args {
					if err := renamedError(old + " " + arg); err != nil {
						return err
					}
				}
				return renamedError(old)
			},
		})
	}
}

// commandName returns the words after the program's name, with a space behind them: "dev test ".
func commandName(c *cobra.Command) string {
	_, words, _ := strings.Cut(c.CommandPath()+" ", " ")
	return words
}

// renamedFlag returns the error for a renamed flag of c, and nil for any other error.
func renamedFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return nil
	}
	return renamedError(commandName(c) + "--" + unknown.GetSpecifiedName())
}

// renamedError returns nil if old is not in the table.
func renamedError(old string) error {
	if now := renamed[old]; now != "" {
		return usagef("`%s` is now `%s`", old, now)
	}
	return nil
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
