// Command workload runs in the pods of the labs: the demo servers, and the client tools of net-test. It is one static binary,
// so that an image consists of this file and a command.
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
	// After the first signal, restore the default handler, so that a second one ends the process without a drain.
	context.AfterFunc(ctx, stop)
	return run(ctx, filepath.Base(os.Args[0]), os.Args[1:], streams{os.Stdout, os.Stderr})
}
