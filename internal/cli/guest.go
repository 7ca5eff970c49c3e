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

// guestFlags are the flags for existing clusters.
type guestFlags struct {
	context, kubeconfig, registry string
	httpAddress, httpsAddress     string
	yes                           bool
}

// register registers the flags of commands that change a cluster. The others are global.
func (g *guestFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&g.registry, "registry", "", "HOST/PATH of a registry that an existing cluster pulls from, to push images to (default: the nodes have the images; see 'ingresslab image save')")
	f.StringVar(&g.httpAddress, "http-address", "", "HOST:PORT of the controller in an existing cluster (default: through the API server)")
	f.StringVar(&g.httpsAddress, "https-address", "", "HOST:PORT of the controller in an existing cluster, for HTTPS")
	f.BoolVar(&g.yes, "yes", false, "skip the confirmation prompt for a remote cluster")
}

// impliedProvider makes --context imply --cluster existing.
func (a *app) impliedProvider() {
	if a.guest.context != "" && a.provider == auto {
		a.provider = existing.Name
	}
}

func (a *app) guestOptions() existing.Options {
	return existing.Options{
		Context: a.guest.context, Kubeconfig: a.guest.kubeconfig, Registry: a.guest.registry,
		Addresses: cluster.Addresses{HTTP: a.guest.httpAddress, HTTPS: a.guest.httpsAddress},
		Ask:       a.ask,
	}
}

// ask prompts the user for confirmation. Without a terminal, --yes is required.
func (a *app) ask(ctx context.Context, question string) error {
	printf(a.std.Err, "%s\n", question)
	if a.guest.yes {
		return nil
	}
	in, ok := a.std.In.(*os.File)
	if !ok || !isatty.IsTerminal(in.Fd()) {
		return usagef("confirmation required, but there is no terminal; pass --yes to confirm")
	}
	printf(a.std.Err, "Continue? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n') // the end of input means no
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
