package container

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a child with a pidfd in Go's poller, so that waiting for it costs no thread.
type process struct {
	pid int
	fd  *os.File // see pidfd_open(2); closed by wait
}

func newProcess(pid, pidfd int) (*process, error) {
	err := errors.New("pidfds are not supported; Linux 5.12 or newer is required")
	if pidfd >= 0 {
		err = unix.SetNonblock(pidfd, true) // the poller requires this
	}
	if err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL) // a child that nothing else waits for, so the PID is still its own
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		_ = unix.Close(pidfd) // unused
		return nil, err
	}
	return &process{pid, os.NewFile(uintptr(pidfd), "process")}, nil
}

// wait returns when the process has ended. Call it once.
func (p *process) wait() (status unix.WaitStatus, err error) {
	defer func() { err = errors.Join(err, p.fd.Close()) }()
	raw, err := p.fd.SyscallConn()
	if err != nil {
		return 0, err
	}
	var waitErr error
	err = raw.Read(func(uintptr) bool {
		for {
			pid, err := unix.Wait4(p.pid, &status, unix.WNOHANG, nil)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			waitErr = err
			return err != nil || pid == p.pid
		}
	})
	return status, errors.Join(err, waitErr)
}

// signal sends a signal. It returns nil if the process has ended.
func (p *process) signal(s syscall.Signal) error {
	raw, err := p.fd.SyscallConn()
	if err != nil {
		return nil //nolint:nilerr // it has ended
	}
	var sendErr error
	if err := raw.Control(func(fd uintptr) { sendErr = unix.PidfdSendSignal(int(fd), s, nil, 0) }); err != nil {
		return nil //nolint:nilerr // it has ended
	}
	if errors.Is(sendErr, unix.ESRCH) {
		return nil
	}
	return sendErr
}

// use calls f with the pidfd. It reports false after wait.
func (p *process) use(f func(fd int)) bool {
	raw, err := p.fd.SyscallConn()
	return err == nil && raw.Control(func(fd uintptr) { f(int(fd)) }) == nil
}

func exitOf(status unix.WaitStatus) (code int, sig syscall.Signal) {
	if status.Signaled() {
		return 128 + int(status.Signal()), status.Signal()
	}
	return status.ExitStatus(), 0
}

// pipes are the child ends and parent ends of the standard streams. Unused ones are /dev/null.
type pipes struct {
	child, parent [3]*os.File
}

func openPipes(in, out, err bool) (*pipes, error) {
	p := &pipes{}
	for i, want := range [3]bool{in, out, err} {
		if e := p.open(i, want); e != nil {
			p.closeChild()
			p.closeParent()
			return nil, e
		}
	}
	return p, nil
}

func (p *pipes) open(i int, want bool) (err error) {
	switch {
	case !want:
		p.child[i], err = os.OpenFile(os.DevNull, os.O_RDWR, 0)
	case i == 0:
		p.child[i], p.parent[i], err = os.Pipe()
	default:
		p.parent[i], p.child[i], err = os.Pipe()
	}
	return err
}

func (p *pipes) closeChild()  { closeAll(p.child) }
func (p *pipes) closeParent() { closeAll(p.parent) }

func (p *pipes) setDeadline(d time.Duration) {
	for _, f := range p.parent[1:] {
		_ = f.SetReadDeadline(time.Now().Add(d)) // fails for nil
	}
}

// drainTimeout limits reads after a process ends: another process can keep its output open.
const drainTimeout = time.Second

// readChunks calls f with each chunk until the end, or for drainTimeout after ended closes.
func readChunks(r *os.File, ended <-chan struct{}, f func([]byte)) {
	buf := make([]byte, 32<<10)
	for {
		select {
		case <-ended:
			_ = r.SetReadDeadline(time.Now().Add(drainTimeout))
		default:
		}
		n, err := r.Read(buf)
		if n > 0 {
			f(buf[:n])
		}
		if err != nil { // the end of a terminal is EIO
			return
		}
	}
}

func closeAll(files [3]*os.File) {
	for _, f := range files {
		_ = f.Close() // fails for nil and closed files; closing a pipe loses no data
	}
}
