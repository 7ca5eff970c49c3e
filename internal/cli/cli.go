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

// Run runs the command in args, which exclude the program's name, and returns its exit code. When ctx ends, the command cleans
// up and returns.
func Run(ctx context.Context, args []string, std Streams) int {
	if len(args) > 0 {
		if code, found := runChild(args[0], std); found {
			return code
		}
	}
	silenceClient()
	return newApp(std).run(ctx, args)
}

// silenceClient drops the log of client-go, which would mix with reports and the tutor's pages. It also returns its errors.
var silenceClient = sync.OnceFunc(func() { klog.SetLogger(klog.Logger{}) })

// runChild runs the child process in which ingresslab starts itself, if command names one.
func runChild(command string, std Streams) (code int, found bool) {
	ok := false
	switch command {
	case kind.ChildCommand:
		ok = kind.RunChild(std.In, std.Out)
	case supervisor.ChildCommand:
		ok = supervisor.Run(std.In, std.Out)
	case container.ChildCommand:
		_ = container.RunChild() // it returns only after a failure, which its parent has already read
	default:
		return 0, false
	}
	if ok {
		return ExitOK, true
	}
	return ExitFailed, true
}

func newApp(std Streams) *app {
	a := &app{std: std, display: newDisplay(std.Err, os.Getenv)}
	a.connect, a.options, a.labEnv = a.client, a.providers, lab.NewEnv
	return a
}

// run executes a command line and returns the exit code.
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
