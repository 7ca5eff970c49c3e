package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/kube"
)

func (a *app) exportLogsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export-logs [DIR]",
		Short: "Collect logs and objects of the cluster in a directory",
		Long: `Collect the logs of all nodes and pods, and the objects that affect Ingress, in DIR (default:
ingresslab-logs/NAME). Works on a broken cluster, too, and lists what it could not collect. It does
not collect Secrets.`,
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

// collect writes the logs of the provider and the objects of the API server. If one of them fails, it prints a note; if both
// fail, it returns an error.
func (a *app) collect(ctx context.Context, provider cluster.Provider, dir string) error {
	done := a.display.Step("Collecting logs into " + dir)
	logsErr := provider.Logs(ctx, a.name, dir)
	var notFound *cluster.NotFoundError
	if errors.As(logsErr, &notFound) || ctx.Err() != nil {
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
