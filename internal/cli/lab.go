package cli

import (
	"context"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/workspace"
)

// labFlags are the flags of lab beside those of the cluster.
type labFlags struct {
	spec   specFlags
	output string
	file   string
	start  bool
	all    bool
}

func (a *app) labCommand() *cobra.Command {
	var flags labFlags
	c := &cobra.Command{
		Use:   "lab N|NAME...",
		Short: "Run a lab from start to solution",
		Long: `Run a lab: bring up the cluster if need be, put what a student begins with into the lab's
namespace, show that nothing is solved, then solve one task after the other and show that its
check holds. The solution keeps running, for you to look at. Of several labs, all are run,
whatever becomes of the first, and the worst decides about the exit code.

To solve a lab yourself, use ` + "`ingresslab learn N` or `ingresslab start N`.",
		Example: `  ingresslab lab 1
  ingresslab lab --all -o junit --output-file out/labs.xml`,
		RunE:              func(c *cobra.Command, args []string) error { return a.labs(c, args, &flags) },
		ValidArgsFunction: a.completeLabs,
	}
	c.Flags().BoolVar(&flags.all, "all", false, "run every lab, by number")
	a.labFlags(c, &flags)
	return c
}

func (a *app) startCommand() *cobra.Command {
	flags := labFlags{start: true}
	c := &cobra.Command{
		Use:   "start N|NAME",
		Short: "Set up a lab, so that you can solve it yourself",
		Long: `Set up a lab and stop: create the cluster if it doesn't exist, put the lab's start into its namespace,
make a directory to work in, and print the next steps. ` + "`ingresslab check N`" + ` then checks your progress.`,
		Example:           "  ingresslab start 1",
		RunE:              func(c *cobra.Command, args []string) error { return a.labs(c, args, &flags) },
		ValidArgsFunction: a.completeOneLab,
	}
	a.labFlags(c, &flags)
	return c
}

func (a *app) labFlags(c *cobra.Command, flags *labFlags) {
	flags.spec.register(c)
	a.guest.register(c)
	f := c.Flags()
	f.StringVarP(&flags.output, "output", "o", outputPretty, "how to report: pretty, json or junit")
	f.StringVar(&flags.file, "output-file", "", "write the json or junit report to this file")
}

// verb returns the name of the command.
func (f *labFlags) verb() string {
	if f.start {
		return "start"
	}
	return "lab"
}

func (f *labFlags) check(args []string) error {
	if err := checkOutput(f.output, outputPretty, outputJSON, outputJUnit); err != nil {
		return err
	}
	switch {
	case f.file != "" && f.output == outputPretty:
		return usagef("--output-file: needs -o json or -o junit")
	case f.all && len(args) > 0:
		return usagef("--all runs every lab: name none, or leave it out")
	case f.start && len(args) != 1:
		return usagef("start takes the number or the name of one lab; `ingresslab list` lists them")
	case !f.all && len(args) == 0:
		return usagef("lab takes the number or the name of a lab; `ingresslab list` lists them")
	}
	return nil
}

func (a *app) labs(c *cobra.Command, args []string, flags *labFlags) error {
	if err := flags.check(args); err != nil {
		return err
	}
	root, err := a.checkout()
	if err != nil {
		return err
	}
	// A lab with faults is said before a cluster is created.
	list, err := loadLabs(root, args)
	if err != nil {
		return err
	}
	if len(list) == 1 {
		// That somebody else has it is said before a cluster is created, too.
		release, err := lab.Lock(list[0], a.name, flags.verb())
		if err != nil {
			return err
		}
		defer release()
	}
	// So is a report that cannot be written.
	file, err := openReport(flags.file)
	if err != nil {
		return err
	}
	defer file.discard()
	up, err := a.bringUp(c, &flags.spec)
	if err != nil {
		return err
	}
	var reports []*lab.Report
	code := ExitOK
	for _, l := range list {
		report, err := a.lab(c.Context(), up, l, len(list) == 1, flags)
		if report != nil {
			reports, code = append(reports, report), worse(code, codeOf(report.Outcome))
		}
		if err != nil {
			a.display.Note(oneLine(err.Error()))
			code = worse(code, exitCode(err))
		}
		if c.Context().Err() != nil {
			break
		}
	}
	ended := a.report(flags.output, file, code, func(w io.Writer) error {
		if flags.output == outputJUnit {
			return lab.WriteJUnit(w, reports)
		}
		return lab.WriteJSON(w, reports)
	})
	if exitCode(ended) == ExitOK && len(list) == 1 && reports[0].Outcome == scenario.Passed {
		return a.goOn(up, root, list[0], flags)
	}
	return ended
}

// loadLabs loads the labs that args name, or all.
func loadLabs(root string, args []string) ([]*lab.Lab, error) {
	var dirs []string
	if len(args) == 0 {
		entries, err := lab.List(filepath.Join(root, labsDir))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			dirs = append(dirs, e.Dir)
		}
	}
	for _, argument := range args {
		dir, err := lab.Find(filepath.Join(root, labsDir), argument)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	var list []*lab.Lab
	for _, dir := range dirs {
		l, err := lab.Load(relative(dir))
		if err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

// lab runs one lab, unless somebody else does; mine says that it is locked for us already. The report is nil if it did not begin.
func (a *app) lab(ctx context.Context, up *cluster.Cluster, l *lab.Lab, mine bool, flags *labFlags) (*lab.Report, error) {
	if !mine {
		release, err := lab.Lock(l, a.name, flags.verb())
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
		w = a.std.Err // the standard output is for the report
	}
	env.Progress = lab.NewPretty(w, a.style(w))
	if flags.start {
		return lab.Start(ctx, l, env)
	}
	return lab.Run(ctx, l, env)
}

// goOn says how to go on after a lab that went well, and makes the directory to do that in. It writes for people.
func (a *app) goOn(up *cluster.Cluster, root string, l *lab.Lab, flags *labFlags) error {
	if flags.output != outputPretty && flags.file == "" {
		return nil // the report is what was asked for
	}
	if !flags.start {
		a.printNext(up, l)
		return nil
	}
	work, err := workspace.Create(root, l)
	if err != nil {
		return err
	}
	w := a.std.Out
	printf(w, "\nGo on by hand:\n  %s\n", exportLine(up))
	if line := programLine(); line != "" {
		printf(w, "  %s\n", line)
	}
	printf(w, "  cd %s\n", shellQuote(relative(work.Path)))
	printf(w, "\n  the lesson                 %s\n", filepath.Join(l.Dir, lab.LessonFile))
	printf(w, "  ingresslab check %d%s       says what is done, and what is wrong\n", l.Number, a.nameFlag())
	printf(w, "  ingresslab learn %d%s       shows the lesson, and watches\n", l.Number, a.nameFlag())
	return nil
}

// printNext says where to look when a lab has been done.
func (a *app) printNext(c *cluster.Cluster, l *lab.Lab) {
	w := a.std.Out
	printf(w, "\nLook at it:\n")
	if c.Lent != nil {
		printf(w, "  open the ingress first:         %s\n", c.Lent.Forward)
	}
	printf(w, "  status page of the controller   http://%s/\n", c.Addresses.Status)
	printf(w, "  the lesson                      %s\n", filepath.Join(l.Dir, lab.LessonFile))
	printf(w, "\nWith kubectl (this kubeconfig is the lab's own, its namespace is now %s):\n", l.Namespace)
	printf(w, "  %s\n", exportLine(c))
	printKubectl(w, l)
	removes := "the cluster"
	if c.Lent != nil {
		removes = "what the lab made in it"
	}
	printf(w, "\n  ingresslab down%s   removes %s\n", a.nameFlag(), removes)
	printf(w, "\nNow do the lab yourself:\n")
	if line := programLine(); line != "" {
		printf(w, "  %s\n", line)
	}
	printf(w, "  ingresslab learn %d%s   guides you through the lab and checks each step\n", l.Number, a.nameFlag())
	printf(w, "  ingresslab start %d%s   only sets up the lab; solve it with kubectl and the lesson\n", l.Number, a.nameFlag())
}

// printKubectl proposes commands that show what the lab is about.
func printKubectl(w io.Writer, l *lab.Lab) {
	printf(w, "  kubectl get ingresses,services,pods -o wide\n")
	for _, o := range l.Solution {
		if o.GetKind() == "Ingress" {
			printf(w, "  kubectl describe ingress %s\n", o.GetName())
			return
		}
	}
}

// nameFlag is what a command has to carry to be about the same cluster.
func (a *app) nameFlag() string {
	if a.name == cluster.DefaultName {
		return ""
	}
	return " --name " + a.name
}
