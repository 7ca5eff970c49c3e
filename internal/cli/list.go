package cli

import (
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List labs and scenarios",
		Example: "  ingresslab list",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			root, err := a.checkout()
			if err != nil {
				return err
			}
			labs, err := lab.List(filepath.Join(root, labsDir))
			if err != nil {
				return err
			}
			scenarios, err := scenario.List(filepath.Join(root, scenariosDir))
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.std.Out, 0, 0, 2, ' ', 0)
			printf(w, "LAB\tNAME\tTITLE\n")
			for _, l := range labs {
				printf(w, "%d\t%s\t%s\n", l.Number, l.Name, titleOf(l.Title))
			}
			printf(w, "\t\t\n")
			printf(w, "SCENARIO\t\tTITLE\n")
			for _, s := range scenarios {
				printf(w, "%s\t\t%s\n", s.Name, titleOf(s.Title))
			}
			return w.Flush()
		},
	}
}

// titleOf returns the title of a lab or scenario, which is empty if its files have errors.
func titleOf(title string) string {
	if title == "" {
		return "(invalid; run `ingresslab dev lint`)"
	}
	return title
}
