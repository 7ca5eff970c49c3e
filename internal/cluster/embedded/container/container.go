package container

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"syscall"
	"time"
)

// Spec is a container to start.
type Spec struct {
	// Name says which it is in errors and in paths: letters, digits, dashes, dots, underscores.
	Name string
	// Dir is an empty directory of the container's own; its root directory is made in it.
	Dir string
	// Image is what Store.Find returned.
	Image *Image
	// Command replaces the image's entrypoint and Args its command, as in a pod's manifest
	// (https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/).
	Command, Args []string
	// Env is KEY=value and wins over the image's.
	Env []string
	// WorkingDir replaces the image's, if not empty.
	WorkingDir string
	// User and Group replace the image's. They are honored where the supervisor is root; elsewhere everybody is the user
	// who started the cluster.
	User, Group *int64
	// Groups are supplementary groups, besides those that the image gives its user.
	Groups []int64
	// Hostname is what uname(2) says in the container.
	Hostname string
	// Network is the descriptor of a network namespace (network.Namespace.FD).
	Network int
	// Mounts are made in their order.
	Mounts []Mount
	// ReadOnly makes the root directory read-only; mounts have their own say.
	ReadOnly bool
	// Log receives both outputs in the format of container logs (time, stream, P or F, text;
	// https://kubernetes.io/docs/concepts/cluster-administration/logging/), appended. Empty drops them.
	Log string
	// Stdin keeps the standard input open for Attach; without it the container reads nothing.
	Stdin, TTY bool
	// StdinOnce ends the standard input when the input of the first Attach has ended, as in a pod's manifest.
	StdinOnce bool
}

// Mount makes a file or directory of this machine appear in a container. What is missing of Target is made.
type Mount struct {
	Source, Target string
	ReadOnly       bool
	// Within, if not empty, is a directory at or above Source that the way to Source must not leave, whatever symbolic links
	// are on it. It is for directories that containers write to: one may put a link there between any check and the mount.
	Within string
}

// Exit is how a container ended.
type Exit struct {
	// Code is the exit code, or 128 plus the number of Signal.
	Code   int
	Signal syscall.Signal
	// Started and Finished are when.
	Started, Finished time.Time
	// Err says why it could not even be started (no such program, say); then Code is 128.
	Err error
}

// Container is one that was started.
type Container interface {
	// ID is unique, 64 hexadecimal digits, as runtimes have it.
	ID() string
	// Started is when.
	Started() time.Time
	// Done is closed when its first process has ended and with it all others.
	Done() <-chan struct{}
	// Exit is valid when Done is closed.
	Exit() Exit
	// Signal sends to its first process; it is no error if that has ended.
	Signal(syscall.Signal) error
	// StopSignal is what the image wants to be stopped with; SIGTERM unless it says otherwise.
	StopSignal() syscall.Signal
	// Exec runs a command beside the first process and waits for it. The error is an *ExecError if it cannot be started.
	Exec(ctx context.Context, e Exec) (code int, err error)
	// Attach joins the streams of the first process until it ends or ctx does. Output from before is in the log, and of a
	// container with Stdin the end of it comes first for the first one who attaches.
	Attach(ctx context.Context, e Exec) error
}

// Exec is a command to run in a container.
type Exec struct {
	// Command is looked up in the container's PATH.
	Command []string
	// Stdin, Stdout and Stderr may be nil. With TTY, Stderr is not used.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	TTY            bool
	// Resize tells the size of the terminal; it may be nil.
	Resize <-chan Size
}

// Size is that of a terminal, in characters.
type Size struct{ Width, Height uint16 }

// ExecError says why a command could not be started, as runtimes say it: `exec: "sh": executable file not found in $PATH`.
type ExecError struct {
	Command string
	Err     error
}

func (e *ExecError) Error() string { return "exec: \"" + e.Command + "\": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ExecError) Unwrap() error { return e.Err }

// Code is what shells and runtimes exit with for it: 127 if there is no such program, 126 if it cannot be executed.
func (e *ExecError) Code() int {
	if errors.Is(e.Err, exec.ErrNotFound) || errors.Is(e.Err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

// Runtime starts containers.
type Runtime interface {
	// Start returns when the container's program runs. An error means that there is no container.
	Start(ctx context.Context, s Spec) (Container, error)
}
