package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/image"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// app is what the commands share: the streams, the display and the global flags.
type app struct {
	std      Streams
	display  *display
	provider string // --cluster
	name     string // --name
	// connect gives what talks to the cluster's API server.
	connect func(context.Context) (*kube.Client, error)
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
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%s; see `%s --help`", flagFault(err), c.CommandPath())
	})
	root.PersistentFlags().StringVar(&a.provider, "cluster", kind.Name, "what the cluster is made with: kind")
	root.PersistentFlags().StringVar(&a.name, "name", cluster.DefaultName, "name of the cluster")
	root.AddCommand(a.labCommand(), a.labsCommand(), a.runCommand(), a.lintCommand(),
		a.upCommand(), a.downCommand(), a.statusCommand(), a.explainCommand(), a.logsCommand(), a.kubeconfigCommand(),
		a.imageCommand(), a.versionCommand())
	return root
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

// providers are the values of --cluster.
func providers() []string { return []string{kind.Name} }

// clusterProvider returns the provider that --cluster names. A provider that
// creates clusters asks for the node image through the display.
func (a *app) clusterProvider() (cluster.Provider, error) {
	if !slices.Contains(providers(), a.provider) {
		return nil, unknown("cluster provider", a.provider, providers(), "--cluster takes: "+kind.Name)
	}
	return kind.New(kind.Options{NodeImage: a.ensureNodeImage})
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
