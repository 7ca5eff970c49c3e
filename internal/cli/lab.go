package cli

import (
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

func (a *app) labCommand() *cobra.Command {
	var flags specFlags
	c := &cobra.Command{
		Use:   "lab N|NAME",
		Short: "Run a lab from start to solution",
		Long: `Run a lab: bring up the cluster if need be, put what a student begins with into the lab's
namespace, show that nothing is solved, apply the solution, and show that every check holds.
The solution keeps running, for you to look at.`,
		Example: "  ingresslab lab 1",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("lab takes the number or the name of one lab; `ingresslab labs` lists them")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.lab(c, args[0], &flags) },
	}
	flags.register(c)
	a.guest.register(c)
	return c
}

func (a *app) lab(c *cobra.Command, argument string, flags *specFlags) error {
	root, err := a.checkout()
	if err != nil {
		return err
	}
	dir, err := lab.Find(filepath.Join(root, labsDir), argument)
	if err != nil {
		return err
	}
	// A lab with faults is said before a cluster is created.
	l, err := lab.Load(relative(dir))
	if err != nil {
		return err
	}
	up, err := a.bringUp(c, flags)
	if err != nil {
		return err
	}
	if err := up.UseNamespace(l.Namespace); err != nil {
		return err
	}
	env, err := lab.NewEnv(up)
	if err != nil {
		return err
	}
	env.Progress = lab.NewPretty(a.std.Out, a.style(a.std.Out))
	report, err := lab.Run(c.Context(), l, env)
	if err != nil {
		return err
	}
	if report.Outcome == scenario.Passed {
		a.printNext(up, l)
	}
	return &outcome{codeOf(report.Outcome)}
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
