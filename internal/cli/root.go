package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
	"github.com/ingresslab/ingresslab/internal/image"
	"github.com/ingresslab/ingresslab/internal/kube"
	"github.com/ingresslab/ingresslab/internal/lab"
)

// app is what the commands share: the streams, the display and the global flags.
type app struct {
	std      Streams
	display  *display
	provider string // --cluster
	name     string // --name
	guest    guestFlags
	// connect gives what talks to the cluster's API server.
	connect func(context.Context) (*kube.Client, error)
	// options are the providers; tests have others.
	options func() (autoselect.Options, error)
	// labEnv is where a lab is done in a cluster; tests have another.
	labEnv func(*cluster.Cluster) (lab.Env, error)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "ingresslab",
		Short: "Learn how HTTP gets into a Kubernetes cluster, by watching a real ingress controller do it",
		Long: `ingresslab brings up a Kubernetes cluster on this machine with an ingress controller
in it, and runs labs and scenarios against it.`,
		Example: `  ingresslab lab 1     # from nothing to a lab that has been done
  ingresslab status    # what is there, and where to look at it
  ingresslab down      # remove all of it`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	asGroup(root)
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		a.impliedProvider()
		return a.checkProvider()
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if renamed := renamedFlag(c, err); renamed != nil {
			return renamed
		}
		return usagef("%s; see `%s --help`", flagFault(err), c.CommandPath())
	})
	a.globalFlags(root)
	root.AddGroup(&cobra.Group{ID: groupLearn, Title: "Learn:"}, &cobra.Group{ID: groupCluster, Title: "Cluster:"},
		&cobra.Group{ID: groupScenarios, Title: "Scenarios:"}, &cobra.Group{ID: groupAuthors, Title: "Authors:"})
	for _, g := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{groupLearn, []*cobra.Command{
			a.learnCommand(), a.startCommand(), a.checkCommand(), a.explainCommand(), a.labCommand(), a.listCommand(),
		}},
		{groupCluster, []*cobra.Command{
			a.upCommand(), a.downCommand(), a.statusCommand(), a.kubeconfigCommand(), a.exportLogsCommand(), a.imageCommand(), a.buildCommand(),
		}},
		{groupScenarios, []*cobra.Command{a.runCommand()}},
		{groupAuthors, []*cobra.Command{a.devCommand()}},
		{"", []*cobra.Command{a.versionCommand()}},
	} {
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	addRenamed(root)
	return root
}

// Groups of commands in the help.
const (
	groupLearn     = "learn"
	groupCluster   = "cluster"
	groupScenarios = "scenarios"
	groupAuthors   = "authors"
)

// globalFlags say which cluster a command is about.
func (a *app) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&a.provider, "cluster", auto, "what the cluster is made with: "+strings.Join(providerNames(), ", "))
	f.StringVar(&a.name, "name", cluster.DefaultName, "name of the cluster")
	f.StringVar(&a.guest.context, "context", "", "context of your kubeconfig, for --cluster existing (which it implies)")
	f.StringVar(&a.guest.kubeconfig, "kubeconfig", "", "file with the context (default: where kubectl looks)")
	complete := cobra.FixedCompletions(clusterValues(), cobra.ShellCompDirectiveNoFileComp)
	// The error says that there is no such flag; there is.
	_ = root.RegisterFlagCompletionFunc("cluster", complete)
	_ = root.RegisterFlagCompletionFunc("context", a.completeContexts)
}

// asGroup makes a command with subcommands print its help when it is called
// alone, and name the nearest subcommand when there is no such one.
func asGroup(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		var known []string
		for _, sub := range c.Commands() {
			if sub.Hidden {
				continue
			}
			known = append(append(known, sub.Name()), sub.Aliases...)
		}
		return unknown("command", args[0], known, "`"+c.CommandPath()+" --help` lists them")
	}
}

// noArgs is cobra.NoArgs as a usage error.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments, got %q; see `%s --help`", c.Name(), args[0], c.CommandPath())
	}
	return nil
}

// checkout finds the sources: around the working directory, or around the
// program itself, which `make build` puts into a checkout.
func (a *app) checkout() (string, error) {
	dirs := []string{"."}
	if wd, err := os.Getwd(); err == nil {
		dirs[0] = wd
	}
	if exe, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(exe))
	}
	return image.FindCheckout(dirs...)
}
