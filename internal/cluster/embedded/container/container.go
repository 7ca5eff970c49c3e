// Package container is a container runtime for one machine, and its image store. A container has
// mount, PID, UTS, and IPC namespaces, a given network namespace, a root directory from the image's
// layers, mounts, and a log. Memory and CPU have no limits. Images come from `docker save` archives
// for this machine's architecture.
//
// Reading order:
//
//	container.go      the interface
//	store.go          the image store; import.go and unpack.go fill it
//	runtime_linux.go  Host and its containers; starter_linux.go runs its children
//	build_linux.go    the environment of a child, with mount_linux.go
//	exec_linux.go     exec and attach
//
// Orphaned processes become children of their container's PID 1 (pid_namespaces(7)), so the
// supervisor waits only for its own children.
package container

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"syscall"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
)

// ChildCommand is the first argument of the programs that a Runtime starts. A program with this
// argument must call RunChild at once.
const ChildCommand = "embedded-container"

// Spec describes a container to start.
type Spec struct {
	Name  string // for errors and paths: letters, digits, dashes, dots, underscores
	Dir   string // an empty directory for the container's root directory
	Image *Image // a result of Store.Find
	// Command replaces the image's entrypoint, and Args its command
	// (https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/).
	Command, Args []string
	Env           []string // KEY=value entries that override the image's
	WorkingDir    string   // overrides the image's if not empty
	// User and Group override the image's if the supervisor is root. Otherwise every process runs as
	// the user who started the cluster.
	User, Group *int64
	Groups      []int64 // supplementary groups in addition to the image's
	Hostname    string  // in the UTS namespace
	Network     int     // file descriptor of a network namespace (network.Namespace.FD)
	Mounts      []Mount
	ReadOnly    bool // the root directory, not the mounts
	// Log is the file to which both outputs are appended, in the CRI log format (time, stream, P or F,
	// text; https://kubernetes.io/docs/concepts/cluster-administration/logging/). If it is empty, they
	// are lost.
	Log string
	// Stdin keeps the standard input open for Attach. Without Stdin, the input is empty.
	Stdin, TTY bool
	StdinOnce  bool // close the standard input when the input of the first Attach ends
}

// Mount is a bind mount of a host file or directory. The runtime creates a missing Target.
type Mount struct {
	Source, Target string
	ReadOnly       bool
	// Within, if set, is a directory that Source must not leave through symbolic links. Set it for
	// directories that containers can write to, because a link could appear before the mount.
	Within string
}

// Exit describes how a container ended.
type Exit struct {
	Code              int // the exit code, or 128 plus the number of the Signal
	Signal            syscall.Signal
	Started, Finished time.Time
	Err               error // a start error; Code is then 128
}

// Container is a started container.
type Container interface {
	ID() string // 64 hexadecimal digits
	Started() time.Time
	Done() <-chan struct{}       // closes when all processes of the container have ended
	Exit() Exit                  // valid after Done closes
	Signal(syscall.Signal) error // signals PID 1; returns nil if the container has ended
	StopSignal() syscall.Signal  // from the image; the default is SIGTERM
	// Exec runs a command in the container and waits for it. A start error is an *ExecError.
	Exec(ctx context.Context, e Exec) (code int, err error)
	// Attach connects to the streams of PID 1 until PID 1 or ctx ends. If Spec.Stdin is true, the
	// first Attach also gets up to 64 KiB of earlier output.
	Attach(ctx context.Context, e Exec) error
}

// Exec is a command to run in a container.
type Exec struct {
	Command []string // searched for in the container's PATH
	// Stdin, Stdout, and Stderr can be nil. With TTY, Stderr is not used.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	TTY            bool
	Resize         <-chan Size // sizes of the terminal; can be nil
}

// Size is the size of a terminal in characters.
type Size = remotecommand.TerminalSize

// ExecError reports a command that did not start. Its text is that of other container runtimes:
// `exec: "sh": executable file not found in $PATH`.
type ExecError struct {
	Command string
	Err     error
}

func (e *ExecError) Error() string { return "exec: \"" + e.Command + "\": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ExecError) Unwrap() error { return e.Err }

// Code returns the exit code that shells use: 127 for a missing program, 126 for other errors.
func (e *ExecError) Code() int {
	if errors.Is(e.Err, exec.ErrNotFound) || errors.Is(e.Err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

// Runtime starts containers.
type Runtime interface {
	// Start starts a container and returns when its program runs.
	Start(ctx context.Context, s Spec) (Container, error)
}
