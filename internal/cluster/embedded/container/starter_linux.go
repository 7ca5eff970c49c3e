package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// starter starts all children from one thread that never ends. When the thread that started a child
// ends, the child dies (PR_SET_PDEATHSIG(2const)), and Go can end other threads. Only this thread
// changes the PID namespace for children.
type starter struct {
	jobs chan *job
	own  *os.File // this program's PID namespace
}

type job struct {
	order     *order
	streams   [3]*os.File // the child's standard streams; the caller closes them
	namespace int         // the child's namespaceFD, or -1
	into      int         // a pidfd of a process in the child's PID namespace, or -1 for a new namespace
	fds       []uintptr

	child *process
	err   error
	done  chan struct{}
}

func newStarter() (*starter, error) {
	own, err := os.Open("/proc/self/ns/pid")
	if err != nil {
		return nil, err
	}
	s := &starter{jobs: make(chan *job), own: own}
	go s.serve()
	return s, nil
}

// serve never returns, because the children would end with its thread.
func (s *starter) serve() {
	runtime.LockOSThread()
	for j := range s.jobs {
		j.child, j.err = s.fork(j)
		close(j.done)
	}
}

// start starts a child and returns it with the parent's end of its status socket.
func (s *starter) start(j *job) (*process, *net.UnixConn, error) {
	text, err := orderFile(j.order)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = text.Close() }() // the child has a copy
	ours, theirs, err := statusSocket()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = theirs.Close() }() // so that ours reads EOF when the child closes its copy
	j.done = make(chan struct{})
	files := append(slices.Clone(j.streams[:]), theirs, text)
	for _, f := range files {
		j.fds = append(j.fds, f.Fd())
	}
	if j.namespace >= 0 {
		j.fds = append(j.fds, uintptr(j.namespace))
	}
	s.jobs <- j
	<-j.done
	runtime.KeepAlive(files)
	if j.err != nil {
		return nil, nil, errors.Join(j.err, ours.Close())
	}
	return j.child, ours, nil
}

func (s *starter) fork(j *job) (*process, error) {
	pidfd := -1
	attr := &syscall.ProcAttr{
		Files: j.fds,
		// The child soon executes a different program, so garbage collection and parallelism are useless.
		Env: []string{"GOGC=off", "GOMAXPROCS=1"},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	}
	namespace := int(s.own.Fd())
	if j.into >= 0 {
		namespace = j.into
	} else {
		// With into, the child sets this itself, because package syscall fails if the parent's PID is 0.
		attr.Sys.Pdeathsig = syscall.SIGKILL
		attr.Sys.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC
	}
	if err := unix.Setns(namespace, unix.CLONE_NEWPID); err != nil {
		return nil, fmt.Errorf("enter the PID namespace: %w", err)
	}
	// /proc/self/exe is this program, even if the file was replaced in the meantime.
	pid, _, err := syscall.StartProcess("/proc/self/exe", []string{"ingresslab", ChildCommand}, attr)
	if err != nil {
		return nil, fmt.Errorf("start in new namespaces: %w", err)
	}
	return newProcess(pid, pidfd)
}

func orderFile(o *order) (*os.File, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("order", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "order")
	if _, err := f.WriteAt(data, 0); err != nil { // leaves the offset at 0 for the child
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func statusSocket() (ours *net.UnixConn, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	theirs = os.NewFile(uintptr(pair[1]), "status")
	mine := os.NewFile(uintptr(pair[0]), "status")
	defer func() { _ = mine.Close() }() // the connection has a copy
	c, err := net.FileConn(mine)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return nil, nil, errors.Join(errors.New("socketpair: no Unix socket"), c.Close(), theirs.Close())
	}
	return conn, theirs, nil
}

// outcome reads a child's status socket until the program runs or has failed. terminal can be nil.
func outcome(ctx context.Context, status *net.UnixConn) (terminal *os.File, err error) {
	defer func() { _ = status.Close() }() // read only
	stop := context.AfterFunc(ctx, func() { _ = status.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	message, terminal, err := listen(status)
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx)
	}
	if err == nil && len(message) > 0 {
		err = decodeFailure(message)
	}
	if err != nil && terminal != nil {
		_ = terminal.Close() // unused
		terminal = nil
	}
	return terminal, err
}

func listen(status *net.UnixConn) (message []byte, terminal *os.File, err error) {
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := status.ReadMsgUnix(buf, oob)
		if oobn > 0 {
			terminal = received(oob[:oobn])
		}
		message = append(message, buf[:n]...)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, terminal, err
		}
		if err != nil || n == 0 {
			return bytes.TrimPrefix(message, []byte{terminalFollows}), terminal, nil
		}
	}
}

func received(oob []byte) *os.File {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) != 1 {
		return nil
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // for read deadlines
		_ = unix.Close(fds[0])
		return nil
	}
	return os.NewFile(uintptr(fds[0]), "terminal")
}

func decodeFailure(message []byte) error {
	var f failure
	if err := json.Unmarshal(message, &f); err != nil {
		return fmt.Errorf("unexpected status of the child: %q", message)
	}
	cause := error(&childError{f.Message, syscall.Errno(f.Errno)})
	if f.NotFound {
		cause = exec.ErrNotFound
	}
	if f.Exec {
		return &ExecError{Command: f.Command, Err: cause}
	}
	return cause
}

type childError struct {
	message string
	errno   syscall.Errno
}

func (e *childError) Error() string { return e.message }

func (e *childError) Is(target error) bool { return e.errno != 0 && errors.Is(e.errno, target) }

// order is the request to a child, as JSON in an open file.
type order struct {
	Join bool // run in an existing container; otherwise the child becomes PID 1 of a new one
	// User has the form of image configurations: "user", "user:group", or empty, by name or number.
	Command, Env     []string
	WorkingDir, User string
	Groups           []int64 // in addition to the user's groups
	TTY              bool
	// OneUser: the user namespace maps only one user. Nested: it is not the machine's.
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
	statusFD    = 3 // a Unix socket for the failure and the terminal; it closes when the program runs
	orderFD     = 4
	namespaceFD = 5 // the network namespace, or with Join a pidfd of the container's PID 1
)

// failure reports, as JSON on the status socket, why a child did not run its program.
type failure struct {
	Message, Command string
	Exec, NotFound   bool // executing Command failed; NotFound and Errno give the reason
	Errno            uintptr
}

// RunChild turns this process into a container's program, as the parent's Runtime requested. It
// returns only if that fails, and reports the failure to the parent. It stays on one thread:
// namespaces, user, and capabilities belong to a thread, and execve(2) keeps only the calling one.
func RunChild() error {
	runtime.LockOSThread()
	// A container must not inherit the file descriptors that this process got from its parent.
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

// terminalFollows is the byte on the status socket that is sent together with the terminal.
const terminalFollows = 't'

// run executes the program. It searches the container's PATH as the container's user.
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
