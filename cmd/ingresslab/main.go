// Command ingresslab brings up the lab's clusters and runs its labs and
// scenarios. Everything it does is in internal/cli.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/ingresslab/ingresslab/internal/cli"
)

func main() {
	ctx := interruptible()
	os.Exit(cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// interruptible returns a context that ends with the first Ctrl-C, so that the
// command can clean up. The second one ends the program there and then: nobody
// should have to wait for something that hangs.
func interruptible() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "\ningresslab: stopping and cleaning up (again to stop at once)")
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "\ningresslab: stopped without cleaning up; `ingresslab down` removes what is there")
		os.Exit(cli.ExitInterrupted)
	}()
	return ctx
}
