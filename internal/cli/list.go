package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
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

// resetProgress deletes the saved progress in a lab, or in all labs.
func (a *app) resetProgress(ctx context.Context, store *progress.Store, dir, argument string) error {
	name, what := "", "all labs"
	if argument != "" {
		found, err := lab.Find(dir, argument)
		if err != nil {
			return err
		}
		entries, err := lab.List(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Dir == found {
				name, what = e.Name, fmt.Sprintf("lab %d", e.Number)
			}
		}
	}
	err := store.Forget(ctx, name)
	if damaged, ok := errors.AsType[*progress.DamagedError](err); ok {
		a.display.Note(damaged.Error())
	} else if err != nil {
		return err
	}
	printf(a.std.Out, "Deleted the saved progress for %s.\n", what)
	return nil
}

// chooseLab lists the labs with the user's progress and returns the user's choice, or "" without a terminal.
func (a *app) chooseLab(store *progress.Store, dir string) (string, error) {
	entries, err := lab.List(dir)
	if err != nil {
		return "", err
	}
	p, err := store.Load()
	if err != nil {
		a.display.Note(oneLine(err.Error()))
	}
	if err := writeProgress(a.std.Out, entries, p); err != nil {
		return "", err
	}
	next := nextLab(entries, p)
	if next.Name == "" {
		return "", nil
	}
	if _, _, terminal := a.terminal(); !terminal {
		printf(a.std.Out, "\nTo continue with lab %d (%s), run `ingresslab learn %[1]d`.\n", next.Number, titleOf(next.Title))
		return "", nil
	}
	printf(a.std.Out, "\nPress Enter to continue with lab %d (%s), or type another number (q quits): ", next.Number, titleOf(next.Title))
	switch answer, err := readLine(a.std.In); {
	case err != nil || answer == "q":
		printf(a.std.Out, "\n")
		return "", nil
	case answer != "":
		return answer, nil
	}
	return next.Name, nil
}

// nextLab returns the current lab if it is unfinished, and otherwise the first unfinished lab.
func nextLab(entries []lab.Entry, p progress.Progress) lab.Entry {
	for _, e := range entries {
		if e.Name == p.Last && p.Labs[e.Name].Finished == nil {
			return e
		}
	}
	for _, e := range entries {
		if p.Labs[e.Name].Finished == nil {
			return e
		}
	}
	if len(entries) > 0 {
		return entries[0]
	}
	return lab.Entry{}
}

func writeProgress(w io.Writer, entries []lab.Entry, p progress.Progress) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printf(table, "LAB\tTITLE\tPROGRESS\n")
	for _, e := range entries {
		printf(table, "%d\t%s\t%s\n", e.Number, titleOf(e.Title), progressText(e, p))
	}
	return table.Flush()
}

func progressText(e lab.Entry, p progress.Progress) string {
	r, begun := p.Labs[e.Name]
	if !begun {
		return "-"
	}
	done, solved := 0, 0
	for _, task := range r.Tasks {
		if !task.Done.IsZero() {
			done++
		}
		if task.Solved {
			solved++
		}
	}
	var parts []string
	if r.Finished != nil {
		parts = append(parts, "finished "+r.Finished.Local().Format("2006-01-02"))
	} else {
		parts = append(parts, fmt.Sprintf("%d tasks done", done))
		if r.Page != "" {
			parts = append(parts, "at “"+r.Page+"”")
		}
	}
	if solved > 0 {
		parts = append(parts, fmt.Sprintf("%d solved by the tutor", solved))
	}
	if r.Quiz != nil {
		parts = append(parts, map[bool]string{true: "quiz passed", false: "quiz failed"}[r.Quiz.Right])
	}
	return strings.Join(parts, ", ")
}

// readLine reads a line byte by byte, because the tutor reads the rest of the input.
func readLine(in io.Reader) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for {
		n, err := in.Read(one)
		if n == 1 && one[0] == '\n' {
			return strings.TrimSpace(string(line)), nil
		}
		if n == 1 {
			line = append(line, one[0])
		}
		if err != nil {
			return strings.TrimSpace(string(line)), err
		}
	}
}

// completeLabs completes labs by number and by name. Without a checkout, it completes nothing.
func (a *app) completeLabs(_ *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	root, err := a.checkout()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	entries, err := lab.List(filepath.Join(root, labsDir))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var proposals []cobra.Completion
	for _, e := range entries {
		title := titleOf(e.Title)
		proposals = append(proposals, cobra.CompletionWithDesc(fmt.Sprint(e.Number), title), cobra.CompletionWithDesc(e.Name, title))
	}
	return proposals, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeOneLab is completeLabs for commands with one argument.
func (a *app) completeOneLab(c *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeLabs(c, args, prefix)
}

// completeCheck completes a lab, and then one of its tasks.
func (a *app) completeCheck(c *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeLabs(c, args, prefix)
	}
	_, list, err := a.loadLabs(args[:1])
	if err != nil || len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var proposals []cobra.Completion
	for _, t := range list[0].Tasks {
		proposals = append(proposals, cobra.CompletionWithDesc(t.ID, t.Title))
	}
	return proposals, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeScenarios completes scenarios by name, and files.
func (a *app) completeScenarios(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	root, err := a.checkout()
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	entries, err := scenario.List(filepath.Join(root, scenariosDir))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var proposals []cobra.Completion
	for _, e := range entries {
		proposals = append(proposals, cobra.CompletionWithDesc(e.Name, titleOf(e.Title)))
	}
	return proposals, cobra.ShellCompDirectiveDefault
}

// completeLabsAndScenarios completes labs, scenarios, and files.
func (a *app) completeLabsAndScenarios(c *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	labs, _ := a.completeLabs(c, args, prefix)
	scenarios, directive := a.completeScenarios(c, args, prefix)
	return append(labs, scenarios...), directive
}

// completeContexts completes the contexts in --kubeconfig, or in the kubeconfig that kubectl uses.
func (a *app) completeContexts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = a.existing.kubeconfig
	config, err := rules.Load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for name := range config.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}
