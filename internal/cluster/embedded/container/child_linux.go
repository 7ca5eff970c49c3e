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

// RunChild turns this process into the program of a container, as its parent, a Runtime, has ordered. It returns only if
// that fails, which has been told to the parent.
//
// Everything happens on one thread: namespaces, user and capabilities are those of a thread, and execve(2) makes the calling
// thread the process.
func RunChild() error {
	runtime.LockOSThread()
	// Also what the parent was left with by whoever started it is not for containers.
	err := unix.CloseRange(statusFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	var o *order
	if err == nil {
		o, err = readOrder()
	}
	if err == nil {
		err = o.carryOut()
	}
	tell(err)
	return err
}

func readOrder() (*order, error) {
	f := os.NewFile(orderFD, "order")
	if f == nil {
		return nil, errors.New("no order")
	}
	defer func() { _ = f.Close() }() // only read
	o := &order{}
	if err := json.NewDecoder(f).Decode(o); err != nil {
		return nil, fmt.Errorf("read order: %w", err)
	}
	return o, nil
}

// tell says on the status socket why there is no program. If nobody listens any more, nobody wants to know.
func tell(err error) {
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

func (o *order) carryOut() error {
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
	if err := o.become(); err != nil {
		return err
	}
	return o.run()
}

// join enters the namespaces of a container. That of processes was entered before this process existed.
func (o *order) join() error {
	// Only a thread with a root and working directory of its own may change to another mount namespace; see setns(2).
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	err := unix.Setns(namespaceFD, unix.CLONE_NEWNS|unix.CLONE_NEWUTS|unix.CLONE_NEWIPC|unix.CLONE_NEWNET)
	if err != nil {
		return fmt.Errorf("enter the container: %w", err)
	}
	return nil
}

// openTerminal makes a terminal of the container's own its standard streams, and sends the other end to the parent.
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

// terminalFollows is a byte on the status socket that comes with the descriptor of a terminal.
const terminalFollows = 't'

// run executes the program. It is searched for with the rights of its user, in the PATH that it will have.
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
