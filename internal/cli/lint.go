package cli

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/text"
)

func (a *app) lintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint [PATH...]",
		Short: "Check the files of scenarios and labs",
		Long: `Check scenarios and labs, all of the checkout if no file or directory is named: unknown
fields, missing manifests, durations, URLs. Every fault is a line with file, line and column.
Exits with 1 if there are any.`,
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
	faults, files, err := lab.Lint(paths)
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("lint: %v", err)
	}
	if err != nil {
		return err
	}
	for _, f := range faults {
		printf(a.std.Out, "%s\n", f)
	}
	if len(faults) > 0 {
		printf(a.std.Err, "✗ %s (%s looked at)\n", text.Count(len(faults), "fault"), text.Count(len(files), "file"))
		return &outcome{ExitFailed}
	}
	printf(a.std.Err, "✓ no faults (%s looked at)\n", text.Count(len(files), "file"))
	return nil
}
