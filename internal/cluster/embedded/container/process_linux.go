package container

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is a child. It is waited for by its own number and in Go's poller, so that it costs no thread, and neither takes
// from nor loses to others who wait for children.
type process struct {
	pid int
	// fd is a pidfd, see pidfd_open(2); it is closed when the process has been waited for.
	fd *os.File
}

func newProcess(pid, pidfd int) (*process, error) {
	if pidfd < 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL) // ours, and not waited for: nobody else has the number
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		return nil, errors.New("the kernel has no descriptors for processes (Linux 5.12 or newer is needed)")
	}
	// Only what does not block is polled.
	if err := unix.SetNonblock(pidfd, true); err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL) // see above
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		_ = unix.Close(pidfd) // not used
		return nil, err
	}
	return &process{pid, os.NewFile(uintptr(pidfd), "process")}, nil
}

// wait returns when the process has ended. It is called once.
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

// signal sends a signal; it is no error if the process has ended.
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

// use calls f with the descriptor, and tells whether the process had not been waited for.
func (p *process) use(f func(fd int)) bool {
	raw, err := p.fd.SyscallConn()
	return err == nil && raw.Control(func(fd uintptr) { f(int(fd)) }) == nil
}

// exitOf translates how a process ended.
func exitOf(status unix.WaitStatus) (code int, sig syscall.Signal) {
	if status.Signaled() {
		return 128 + int(status.Signal()), status.Signal()
	}
	return status.ExitStatus(), 0
}
