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

// guestFlags are the flags for clusters that are not the lab's own.
type guestFlags struct {
	context, kubeconfig, registry string
	httpAddress, httpsAddress     string
	yes                           bool
}

// register registers those that only commands need which change something; the others are global.
func (g *guestFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&g.registry, "registry", "", "HOST/PATH that an existing cluster pulls images from; they are pushed there (default: its nodes have them, see 'ingresslab image save')")
	f.StringVar(&g.httpAddress, "http-address", "", "HOST:PORT at which the ingress of an existing cluster is reached (default: through its API server)")
	f.StringVar(&g.httpsAddress, "https-address", "", "HOST:PORT for HTTPS")
	f.BoolVar(&g.yes, "yes", false, "agree to what is made in an existing cluster that is not on this machine")
}

// impliedProvider makes --context say --cluster existing.
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

// ask puts a question to whoever sits at the terminal. Where nobody does, only --yes is an answer.
func (a *app) ask(ctx context.Context, question string) error {
	printf(a.std.Err, "%s\n", question)
	if a.guest.yes {
		return nil
	}
	in, ok := a.std.In.(*os.File)
	if !ok || !isatty.IsTerminal(in.Fd()) {
		return usagef("nobody is here to agree to it; --yes does")
	}
	printf(a.std.Err, "Go on? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n') // the end of the input is no answer
		answer <- line
	}()
	select {
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return usagef("not agreed: nothing was changed")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
