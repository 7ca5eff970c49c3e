// Command workload is what runs in the pods of the labs: the servers that requests are routed to,
// and the client to exec into. It is one static binary, so that an image is this file and a command.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	os.Exit(withSignals())
}

func withSignals() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	// After the first signal the next one kills, for those who do not want to wait for the drain.
	context.AfterFunc(ctx, stop)
	return run(ctx, filepath.Base(os.Args[0]), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
}
