package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/workspace"
)

// labFlags are the flags of lab and start.
type labFlags struct {
	spec specFlags
	outputFlags
	all  bool
	verb string // "lab" or "start"
}

func (a *app) labCommand() *cobra.Command {
	flags := labFlags{verb: "lab"}
	c := &cobra.Command{
		Use:   "lab N|NAME...",
		Short: "Start a lab and solve its tasks automatically",
		Long: `Run a lab for you: create the cluster if necessary, set up the lab's namespace, and show that every
check fails. Then solve one task after another, and show that its check passes. The solution keeps
running, so that you can explore it.

If you name several labs, all of them run, even after a failure. The exit code reflects the worst
result. To solve a lab yourself, use ` + "`ingresslab learn N` or `ingresslab start N`.",
		Example: `  ingresslab lab 1
  ingresslab lab --all -o junit --output-file out/labs.xml`,
		RunE:              func(c *cobra.Command, args []string) error { return a.labs(c, args, &flags) },
		ValidArgsFunction: a.completeLabs,
	}
	c.Flags().BoolVar(&flags.all, "all", false, "run all labs in order")
	a.registerLab(c, &flags)
	return c
}

func (a *app) startCommand() *cobra.Command {
	flags := labFlags{verb: "start"}
	c := &cobra.Command{
		Use:   "start N|NAME",
		Short: "Set up a lab, so that you can solve it yourself",
		Long: `Set up a lab and stop: create the cluster if necessary, put the start of the lab into its namespace,
make a directory to work in, and print the next steps. ` + "`ingresslab check N`" + ` then checks your progress.`,
		Example:           "  ingresslab start 1",
		RunE:              func(c *cobra.Command, args []string) error { return a.labs(c, args, &flags) },
		ValidArgsFunction: a.completeOneLab,
	}
	a.registerLab(c, &flags)
	return c
}

func (a *app) registerLab(c *cobra.Command, flags *labFlags) {
	flags.spec.register(c)
	a.existing.register(c)
	flags.registerFile(c, outputPretty, outputJSON, outputJUnit)
}

func (f *labFlags) check(args []string) error {
	switch {
	case f.all && len(args) > 0:
		return usagef("--all cannot be combined with lab names")
	case f.verb == "start" && len(args) != 1:
		return usagef("start needs the number or name of one lab; run `ingresslab list` for a list")
	case !f.all && len(args) == 0:
		return usagef("lab needs the number or name of a lab; run `ingresslab list` for a list")
	}
	return f.outputFlags.check()
}

func (a *app) labs(c *cobra.Command, args []string, flags *labFlags) error {
	if err := flags.check(args); err != nil {
		return err
	}
	// Report errors in a lab, a lock, and an unwritable file before creating a cluster.
	root, list, err := a.loadLabs(args)
	if err != nil {
		return err
	}
	if len(list) == 1 {
		release, err := lab.Lock(list[0], a.name, flags.verb)
		if err != nil {
			return err
		}
		defer release()
	}
	file, err := openReport(flags.file)
	if err != nil {
		return err
	}
	defer file.discard()
	up, err := a.bringUp(c, &flags.spec)
	if err != nil {
		return err
	}
	reports, code := a.runLabs(c.Context(), up, list, flags)
	ended := a.report(flags.output, file, code, writer(flags.output, reports, lab.WriteJUnit, lab.WriteJSON))
	if exitCode(ended) == ExitOK && len(list) == 1 && reports[0].Outcome == scenario.Passed {
		return a.printAfterLab(up, root, list[0], flags)
	}
	return ended
}

// runLabs runs labs one after another, and returns their reports with the worst exit code.
func (a *app) runLabs(ctx context.Context, up *cluster.Cluster, list []*lab.Lab, flags *labFlags) (reports []*lab.Report, code int) {
	for _, l := range list {
		report, err := a.lab(ctx, up, l, len(list) == 1, flags)
		if report != nil {
			reports, code = append(reports, report), worse(code, codeOf(report.Outcome))
		}
		if err != nil {
			a.display.Note(oneLine(err.Error()))
			code = worse(code, exitCode(err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return reports, code
}

// lab runs one lab. The report is nil if it did not start.
func (a *app) lab(ctx context.Context, up *cluster.Cluster, l *lab.Lab, locked bool, flags *labFlags) (*lab.Report, error) {
	if !locked {
		release, err := lab.Lock(l, a.name, flags.verb)
		if err != nil {
			return nil, err
		}
		defer release()
	}
	if err := up.UseNamespace(l.Namespace); err != nil {
		return nil, err
	}
	env, err := a.labEnv(up)
	if err != nil {
		return nil, err
	}
	w := a.std.Out
	if flags.output != outputPretty && flags.file == "" {
		w = a.std.Err // standard output is for the report
	}
	env.Progress = lab.NewPretty(w, a.style(w))
	if flags.verb == "start" {
		return lab.Start(ctx, l, env)
	}
	return lab.Run(ctx, l, env)
}

// loadLabs loads the labs in args, or all labs, from the checkout at root.
func (a *app) loadLabs(args []string) (root string, list []*lab.Lab, err error) {
	if root, err = a.checkout(); err != nil {
		return "", nil, err
	}
	load := func(dir string, err error) error {
		if err != nil {
			return err
		}
		l, err := lab.Load(relative(dir))
		list = append(list, l)
		return err
	}
	if len(args) == 0 {
		entries, err := lab.List(filepath.Join(root, labsDir))
		if err != nil {
			return "", nil, err
		}
		for _, e := range entries {
			if err := load(e.Dir, nil); err != nil {
				return "", nil, err
			}
		}
	}
	for _, argument := range args {
		if err := load(lab.Find(filepath.Join(root, labsDir), argument)); err != nil {
			return "", nil, err
		}
	}
	return root, list, nil
}

// printAfterLab prints the next steps after a successful run. For `start`, it also creates the directory to work in.
func (a *app) printAfterLab(up *cluster.Cluster, root string, l *lab.Lab, flags *labFlags) error {
	if flags.output != outputPretty && flags.file == "" {
		return nil // standard output is for the report
	}
	if flags.verb == "lab" {
		a.printNext(up, l)
		return nil
	}
	work, err := workspace.Create(root, l)
	if err != nil {
		return err
	}
	w := a.std.Out
	printf(w, "\nSolve the lab yourself:\n  %s\n", exportLine(up))
	if line := programLine(); line != "" {
		printf(w, "  %s\n", line)
	}
	printf(w, "  cd %s\n", shellQuote(relative(work.Path)))
	printf(w, "\n  the lesson                 %s\n", filepath.Join(l.Dir, lab.LessonFile))
	printf(w, "  ingresslab check %d%s       checks your progress and gives hints\n", l.Number, a.nameFlag())
	printf(w, "  ingresslab learn %d%s       shows the lesson and checks each task\n", l.Number, a.nameFlag())
	return nil
}

// printNext prints how to explore a solved lab, how to do it yourself, and how to clean up.
func (a *app) printNext(c *cluster.Cluster, l *lab.Lab) {
	w := a.std.Out
	printf(w, "\nExplore the result:\n")
	if c.Forward != "" {
		printf(w, "  forward the ports first         %s\n", c.Forward)
	}
	printf(w, "  status page of the controller   http://%s/\n", c.Addresses.Status)
	printf(w, "  the lesson                      %s\n", filepath.Join(l.Dir, lab.LessonFile))
	printf(w, "\nWith kubectl (this kubeconfig belongs to ingresslab; its namespace is now %s):\n", l.Namespace)
	printf(w, "  %s\n", exportLine(c))
	printf(w, "  kubectl get ingresses,services,pods -o wide\n")
	for _, o := range l.Solution {
		if o.GetKind() == "Ingress" {
			printf(w, "  kubectl describe ingress %s\n", o.GetName())
			break
		}
	}
	printf(w, "\nDo the lab yourself:\n")
	if line := programLine(); line != "" {
		printf(w, "  %s\n", line)
	}
	deleted := "the cluster"
	if !c.Missing.Has(cluster.Isolation) {
		deleted = "what ingresslab created in the cluster"
	}
	printf(w, "  ingresslab learn %d%s   guides you through the lab and checks each task\n", l.Number, a.nameFlag())
	printf(w, "  ingresslab start %d%s   sets up the lab, so that you can solve it with kubectl\n", l.Number, a.nameFlag())
	printf(w, "  ingresslab down%s      deletes %s\n", a.nameFlag(), deleted)
}

// nameFlag returns the --name flag for a printed command, with a leading space. It is empty for the default name.
func (a *app) nameFlag() string {
	if a.name == cluster.DefaultName {
		return ""
	}
	return " --name " + a.name
}
