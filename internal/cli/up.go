package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/autoselect"
	"github.com/ingresslab/ingresslab/internal/deploy"
	"github.com/ingresslab/ingresslab/internal/kube"
)

func (a *app) upCommand() *cobra.Command {
	var flags specFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Create the cluster and install the controller",
		Long: `Create the cluster if it does not exist, load the images, install the controller, and wait until it
responds. To update the controller in a running cluster, run the command again.`,
		Example: "  ingresslab up --nodes 1 --http-port 9080",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			up, err := a.bringUp(c, &flags)
			if err != nil {
				return err
			}
			printAddresses(a.std.Out, up)
			return nil
		},
	}
	flags.register(c)
	a.existing.register(c)
	return c
}

// bringUp creates or reuses the cluster that the flags select, and installs the controller.
func (a *app) bringUp(c *cobra.Command, flags *specFlags) (*cluster.Cluster, error) {
	spec, err := flags.spec(c, a.name)
	if err != nil {
		return nil, err
	}
	root, err := a.checkout()
	if err != nil {
		return nil, err
	}
	provider, err := a.maker(c.Context(), spec)
	if err != nil {
		return nil, err
	}
	lab := deploy.Lab{Provider: provider, Root: root, Progress: a.display}
	return lab.Up(c.Context(), spec)
}

func (a *app) downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Delete the cluster and all its files",
		Long: `Delete the cluster and all its files. If clusters of several providers have the name, delete all of them,
unless --cluster selects one. In an existing cluster, delete only what ingresslab created.`,
		Example: "  ingresslab down --name mine",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.down(c.Context())
		},
	}
}

func (a *app) down(ctx context.Context) error {
	owners, err := a.owners(ctx)
	if err != nil {
		return err
	}
	if len(owners) == 0 {
		owners = append(owners, autoselect.Found{Provider: a.options()[0]}) // its error explains why there is nothing to delete
	}
	for _, o := range owners {
		err = errors.Join(err, o.Provider.Down(ctx, a.name, a.display))
	}
	return err
}

func (a *app) cluster(ctx context.Context) (cluster.Provider, *cluster.Cluster, error) {
	provider, err := a.owner(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := provider.Get(ctx, a.name)
	return provider, c, err
}

func printAddresses(w io.Writer, c *cluster.Cluster) {
	printf(w, "cluster      %s (%s)\n", c.Name, c.Provider)
	if c.Forward != "" {
		printf(w, "ingress      while this command runs: %s\n", c.Forward)
	} else {
		printf(w, "http         http://%s/\n", c.Addresses.HTTP)
		printf(w, "https        https://%s/\n", c.Addresses.HTTPS)
		printf(w, "status page  http://%s/\n", c.Addresses.Status)
	}
	printf(w, "kubectl      %s\n", exportLine(c))
}

// exportLine returns the shell command that points kubectl at the cluster.
func exportLine(c *cluster.Cluster) string { return "export KUBECONFIG=" + shellQuote(c.Kubeconfig) }

func (a *app) kubeconfigCommand() *cobra.Command {
	var export bool
	c := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of the cluster's kubeconfig",
		Long:  "Print the path of the cluster's kubeconfig for kubectl. The command does not change your own kubeconfig.",
		Example: `  kubectl --kubeconfig "$(ingresslab kubeconfig)" get nodes
  eval "$(ingresslab kubeconfig --export)"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, up, err := a.cluster(c.Context())
			if err != nil {
				return err
			}
			if export {
				printf(a.std.Out, "%s\n", exportLine(up))
			} else {
				printf(a.std.Out, "%s\n", up.Kubeconfig)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&export, "export", false, "print an export command for the shell")
	return c
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./~:@%+=,-]+$`)

// shellQuote quotes a word for a POSIX shell.
func shellQuote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (a *app) exportLogsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export-logs [DIR]",
		Short: "Collect logs and objects of the cluster in a directory",
		Long: `Collect the logs of all nodes and pods, and the objects that affect Ingress, in DIR (default:
ingresslab-logs/NAME). The command works on a broken cluster, too, and lists what it could not collect.
It does not collect Secrets.`,
		Example: "  ingresslab export-logs out/logs",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir := filepath.Join("ingresslab-logs", a.name)
			if len(args) == 1 {
				dir = args[0]
			}
			provider, err := a.owner(c.Context())
			if err != nil {
				return err
			}
			if err := a.collect(c.Context(), provider, dir); err != nil {
				return err
			}
			printf(a.std.Out, "%s\n", dir)
			return nil
		},
	}
}

// collect writes the provider's logs and the API server's objects. It returns an error only if both fail.
func (a *app) collect(ctx context.Context, provider cluster.Provider, dir string) error {
	done := a.display.Step("Collecting logs into " + dir)
	logsErr := provider.Logs(ctx, a.name, dir)
	if _, ok := errors.AsType[*cluster.NotFoundError](logsErr); ok || ctx.Err() != nil {
		done(logsErr)
		return logsErr
	}
	dumpErr := a.dump(ctx, provider, filepath.Join(dir, "objects"))
	if dumpErr != nil {
		dumpErr = fmt.Errorf("objects: %w", dumpErr)
	}
	err := errors.Join(logsErr, dumpErr)
	if logsErr != nil && dumpErr != nil {
		done(err)
		return err
	}
	done(nil)
	if err != nil {
		a.display.Note(oneLine(err.Error()))
	}
	return nil
}

func (a *app) dump(ctx context.Context, provider cluster.Provider, dir string) error {
	up, err := provider.Get(ctx, a.name)
	if err != nil {
		return err
	}
	client, err := kube.New(up.Config)
	if err != nil {
		return err
	}
	return client.Dump(ctx, dir)
}
