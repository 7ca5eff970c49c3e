package cli

import (
	"context"
	"io"
	"os"
	"sync"

	"k8s.io/klog/v2"

	"github.com/ingresslab/ingresslab/internal/cluster/embedded/container"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
	"github.com/ingresslab/ingresslab/internal/cluster/kind"
	"github.com/ingresslab/ingresslab/internal/lab"
)

// Streams are the standard streams of the program.
type Streams struct {
	In  io.Reader
	Out io.Writer // data
	Err io.Writer // progress and errors
}

// Run runs the command that args (without the program's name) say, and returns
// the exit code; see ExitUsage and its neighbors. When ctx ends the command
// cleans up and returns.
func Run(ctx context.Context, args []string, std Streams) int {
	if len(args) > 0 {
		if code, found := runChild(args[0], std); found {
			return code
		}
	}
	silenceClient()
	return newApp(std).run(ctx, args)
}

// silenceClient drops what client-go logs, errors included: it would stand between the lines of a report, and a picture would be
// spoiled by it. What matters of it comes as an error, too.
var silenceClient = sync.OnceFunc(func() { klog.SetLogger(klog.Logger{}) })

// runChild runs what the program starts itself as, in other processes than the user's own.
func runChild(command string, std Streams) (code int, found bool) {
	well := false
	switch command {
	case kind.ChildCommand:
		well = kind.RunChild(std.In, std.Out)
	case supervisor.ChildCommand:
		well = supervisor.Run(std.In, std.Out)
	case container.ChildCommand:
		_ = container.RunChild() // it has told its parent, and returns only if it failed
	default:
		return 0, false
	}
	if well {
		return ExitOK, true
	}
	return ExitFailed, true
}

func newApp(std Streams) *app {
	a := &app{std: std, display: newDisplay(std.Err, os.Getenv)}
	a.connect, a.options, a.labEnv = a.client, a.providers, lab.NewEnv
	return a
}

// run runs a command line.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(a.std.In)
	root.SetOut(a.std.Out)
	root.SetErr(a.std.Err)
	err := root.ExecuteContext(ctx)
	if text := errorText(err); text != "" {
		printf(a.std.Err, "ingresslab: %s\n", text)
	}
	return exitCode(err)
}
