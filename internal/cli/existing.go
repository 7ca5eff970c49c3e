package cli

import (
	"bufio"
	"context"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/existing"
)

// existingFlags are the flags for existing clusters.
type existingFlags struct {
	context, kubeconfig, registry string
	httpAddress, httpsAddress     string
	yes                           bool
}

// register adds the flags of commands that change a cluster. The other flags are global.
func (e *existingFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&e.registry, "registry", "",
		"push images to HOST/PATH, where an existing cluster pulls them (default: its nodes have them, see 'ingresslab image save')")
	f.StringVar(&e.httpAddress, "http-address", "", "HOST:PORT of an existing cluster's ingress for HTTP (default: forwarded by its API server)")
	f.StringVar(&e.httpsAddress, "https-address", "", "HOST:PORT of an existing cluster's ingress for HTTPS")
	f.BoolVar(&e.yes, "yes", false, "skip the confirmation prompt for a remote cluster")
}

// impliedProvider makes --context imply --cluster existing.
func (a *app) impliedProvider() {
	if a.existing.context != "" && a.provider == auto {
		a.provider = existing.Name
	}
}

func (a *app) existingOptions() existing.Options {
	e := a.existing
	return existing.Options{
		Context: e.context, Kubeconfig: e.kubeconfig, Registry: e.registry,
		Addresses: cluster.Addresses{HTTP: e.httpAddress, HTTPS: e.httpsAddress},
		Confirm:   a.confirm,
	}
}

// confirm asks the user at the terminal. Without a terminal, only --yes confirms.
func (a *app) confirm(ctx context.Context, question string) error {
	printf(a.std.Err, "%s\n", question)
	if a.existing.yes {
		return nil
	}
	in, ok := a.std.In.(*os.File)
	if !ok || !isatty.IsTerminal(in.Fd()) {
		return usagef("confirmation required, but there is no terminal; pass --yes to confirm")
	}
	printf(a.std.Err, "Continue? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n') // the end of the input counts as no
		answer <- line
	}()
	select {
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return usagef("canceled; nothing was changed")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
