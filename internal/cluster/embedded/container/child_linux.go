package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// order is the request to a child, as JSON in an open file.
type order struct {
	Join bool // run in an existing container; otherwise the child becomes PID 1 of a new one
	// User is as in image configurations: "user", "user:group", or empty, by name or number.
	Command, Env     []string
	WorkingDir, User string
	Groups           []int64 // in addition to the user's groups
	TTY              bool
	// OneUser reports that the user namespace maps one user, Nested that it is not the initial one.
	OneUser, Nested bool

	// The other fields are for new containers. Layers are ordered from the lowest.
	Dir, Hostname string
	Layers        []string
	Mounts        []Mount
	ReadOnly      bool
	OwnNetwork    bool // enter the network namespace at namespaceFD
}

// File descriptors of a child.
const (
	statusFD    = 3 // a Unix socket for the failure and the terminal; closes when the program runs
	orderFD     = 4
	namespaceFD = 5 // the network namespace, or with Join a pidfd of the container's PID 1
)

// failure reports, as JSON on the status socket, why a child did not run its program.
type failure struct {
	Message, Command string
	Exec, NotFound   bool // executing Command failed; NotFound and Errno give the reason
	Errno            uintptr
}

// RunChild turns this process into a container's program, as requested by the Runtime that started
// it. It returns only after a failure, which it reports to the parent.
//
// It stays on one thread: namespaces, user, and capabilities belong to a thread, and execve(2)
// keeps only the calling thread.
func RunChild() error {
	runtime.LockOSThread()
	// Containers must not inherit file descriptors that the parent inherited.
	err := unix.CloseRange(statusFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	var o *order
	if err == nil {
		o, err = readOrder()
	}
	if err == nil {
		err = o.execute()
	}
	reportFailure(err)
	return err
}

func readOrder() (*order, error) {
	f := os.NewFile(orderFD, "order")
	if f == nil {
		return nil, errors.New("no order file")
	}
	defer func() { _ = f.Close() }() // read only
	o := &order{}
	if err := json.NewDecoder(f).Decode(o); err != nil {
		return nil, fmt.Errorf("read order: %w", err)
	}
	return o, nil
}

func reportFailure(err error) {
	f := failure{Message: err.Error()}
	var execErr *ExecError
	if errors.As(err, &execErr) {
		f.Exec, f.Command, f.Message = true, execErr.Command, execErr.Err.Error()
		f.NotFound = errors.Is(execErr.Err, exec.ErrNotFound)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		f.Errno = uintptr(errno)
	}
	if data, err := json.Marshal(f); err == nil {
		_, _ = unix.Write(statusFD, data)
	}
}

func (o *order) execute() error {
	unix.Umask(0o022)
	enter := o.build
	if o.Join {
		enter = o.join
	}
	if err := enter(); err != nil {
		return err
	}
	if err := os.Chdir(o.WorkingDir); err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	if o.TTY {
		if err := openTerminal(); err != nil {
			return fmt.Errorf("terminal: %w", err)
		}
	}
	if err := o.dropPrivileges(); err != nil {
		return err
	}
	return o.run()
}

// join enters the namespaces of a container. The child is already in its PID namespace.
func (o *order) join() error {
	// setns(2) with CLONE_NEWNS requires that the thread shares no file system attributes.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	err := unix.Setns(namespaceFD, unix.CLONE_NEWNS|unix.CLONE_NEWUTS|unix.CLONE_NEWIPC|unix.CLONE_NEWNET)
	if err != nil {
		return fmt.Errorf("enter the container: %w", err)
	}
	return nil
}

// openTerminal opens a terminal as the standard streams and sends its master to the parent.
func openTerminal() error {
	master, slave, err := pty.Open()
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(statusFD, []byte{terminalFollows}, unix.UnixRights(int(master.Fd())), nil, 0); err != nil {
		return err
	}
	fd := int(slave.Fd())
	if err := unix.IoctlSetInt(fd, unix.TIOCSCTTY, 0); err != nil {
		return err
	}
	for stream := range 3 {
		if err := unix.Dup3(fd, stream, 0); err != nil {
			return err
		}
	}
	return errors.Join(slave.Close(), master.Close())
}

// terminalFollows is the byte on the status socket that accompanies the terminal.
const terminalFollows = 't'

// run executes the program. It searches for it as the container's user, in the container's PATH.
func (o *order) run() error {
	for _, kv := range o.Env {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok {
			if err := os.Setenv("PATH", path); err != nil {
				return fmt.Errorf("PATH: %w", err)
			}
		}
	}
	command := o.Command[0]
	path, err := exec.LookPath(command)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		var reason *exec.Error
		if errors.As(err, &reason) {
			err = reason.Err
		}
		return &ExecError{Command: command, Err: err}
	}
	return &ExecError{Command: command, Err: syscall.Exec(path, o.Command, o.Env)}
}
