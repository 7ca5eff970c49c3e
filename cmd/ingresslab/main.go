// Command ingresslab runs labs and scenarios on Kubernetes clusters. Package internal/cli implements it.
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

// interruptible returns a context that ends with the first Ctrl-C, so that the command can clean up. The second Ctrl-C ends the
// program at once, because the cleanup can hang.
func interruptible() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "\ningresslab: stopping and cleaning up; press Ctrl-C again to stop at once")
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "\ningresslab: stopped without cleanup; run `ingresslab down` to delete the cluster")
		os.Exit(cli.ExitInterrupted)
	}()
	return ctx
}
