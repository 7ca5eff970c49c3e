package cli

import (
	"context"
	"io"
	"os"

	"github.com/ingresslab/ingresslab/internal/cluster/kind"
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
	if len(args) > 0 && args[0] == kind.ChildCommand {
		if !kind.RunChild(std.In, std.Out) {
			return ExitFailed
		}
		return ExitOK
	}
	a := &app{std: std, display: newDisplay(std.Err, os.Getenv)}
	a.connect = a.client
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(std.In)
	root.SetOut(std.Out)
	root.SetErr(std.Err)
	err := root.ExecuteContext(ctx)
	if text := errorText(err); text != "" {
		printf(std.Err, "ingresslab: %s\n", text)
	}
	return exitCode(err)
}
