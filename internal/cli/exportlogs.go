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
		Short: "Collect the logs of nodes and pods, and the objects that matter",
		Long: `Collect the logs of all nodes and pods, and the objects that explain what the ingress
does, into DIR (default ingresslab-logs/NAME). Works on a cluster that is broken, too: what
cannot be had is said. Secrets are not collected.`,
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

// collect gathers what the provider has and what the API server has. One of
// them missing is worth a note, both an error.
func (a *app) collect(ctx context.Context, provider cluster.Provider, dir string) error {
	done := a.display.Step("Collecting logs into " + dir)
	logsErr := provider.Logs(ctx, a.name, dir)
	var notFound *cluster.NotFoundError
	if errors.As(logsErr, &notFound) || ctx.Err() != nil {
		done(logsErr)
		return logsErr
	}
	dumpErr := a.dump(ctx, provider, filepath.Join(dir, "objects"))
	if logsErr != nil && dumpErr != nil {
		err := errors.Join(logsErr, dumpErr)
		done(err)
		return err
	}
	done(nil)
	if err := errors.Join(logsErr, dumpErr); err != nil {
		a.display.Note(oneLine(err.Error()))
	}
	return nil
}

func (a *app) dump(ctx context.Context, provider cluster.Provider, dir string) error {
	up, err := provider.Get(ctx, a.name)
	if err != nil {
		return fmt.Errorf("objects: %w", err)
	}
	client, err := kube.New(up.Config)
	if err != nil {
		return fmt.Errorf("objects: %w", err)
	}
	return client.Dump(ctx, dir)
}
