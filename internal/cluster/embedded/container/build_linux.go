package container

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// build creates the container's environment in new namespaces: the root directory from its image,
// /proc, /dev, /sys, its mounts, and its network.
//
// It opens host files as detached mounts before pivot_root(2), and attaches them afterwards, so
// that no symbolic link in the image can lead out of the container.
func (o *order) build() error {
	if o.OwnNetwork {
		if err := unix.Setns(namespaceFD, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
	}
	// Keep mounts from propagating to the host.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	root := filepath.Join(o.Dir, rootDir)
	if err := o.mountRoot(root); err != nil {
		return fmt.Errorf("root directory: %w", err)
	}
	system, err := o.systemMounts()
	if err != nil {
		return err
	}
	given, err := bindMounts(o.Mounts)
	if err != nil {
		return err
	}
	if err := enterRoot(root); err != nil {
		return fmt.Errorf("enter the root directory: %w", err)
	}
	for _, m := range system {
		if err := m.attach(); err != nil {
			return err
		}
	}
	if err := o.prepareRootfs(); err != nil {
		return err
	}
	for _, m := range given {
		if err := m.attach(); err != nil {
			return err
		}
	}
	return o.finish()
}

// enterRoot makes root the root mount and detaches the old one. pivot_root(2) explains ".".
func enterRoot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("detach the old root: %w", err)
	}
	return os.Chdir("/")
}

// prepareRootfs creates the links in /dev and /tmp, and protects /proc.
func (o *order) prepareRootfs() error {
	for name, to := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
		"ptmx": "pts/ptmx",
	} {
		if err := os.Symlink(to, "/dev/"+name); err != nil {
			return err
		}
	}
	if err := os.Mkdir("/tmp", 0o777); err == nil {
		if err := os.Chmod("/tmp", os.ModeSticky|0o777); err != nil { //nolint:gosec // the usual mode of /tmp
			return err
		}
	}
	if o.OwnNetwork {
		// As in containerd and Docker, let any user listen on port 80. Not all kernels allow this.
		_ = os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
	}
	return protectProc()
}

// finish completes the container after all mounts exist. It creates a missing working directory.
func (o *order) finish() error {
	if err := os.MkdirAll(o.WorkingDir, 0o755); err != nil { //nolint:gosec // the usual mode in images
		return fmt.Errorf("working directory: %w", err)
	}
	if o.ReadOnly {
		attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, attr); err != nil {
			return fmt.Errorf("make the root directory read-only: %w", err)
		}
	}
	if o.Hostname != "" {
		if err := unix.Sethostname([]byte(o.Hostname)); err != nil {
			return fmt.Errorf("set host name: %w", err)
		}
	}
	return nil
}

// keptCapabilities are the capabilities of a container's root: Docker's default without CAP_MKNOD,
// because no cgroup restricts devices here.
var keptCapabilities = map[uintptr]bool{
	unix.CAP_CHOWN: true, unix.CAP_DAC_OVERRIDE: true, unix.CAP_FSETID: true, unix.CAP_FOWNER: true,
	unix.CAP_NET_RAW: true, unix.CAP_SETGID: true, unix.CAP_SETUID: true, unix.CAP_SETFCAP: true,
	unix.CAP_SETPCAP: true, unix.CAP_NET_BIND_SERVICE: true, unix.CAP_SYS_CHROOT: true, unix.CAP_KILL: true,
	unix.CAP_AUDIT_WRITE: true,
}

// dropPrivileges switches to the container's user and permanently drops all other capabilities.
func (o *order) dropPrivileges() error {
	account, err := o.identity()
	if err != nil {
		return err
	}
	o.Env = withDefault(o.Env, "HOME", account.Home)
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if !keptCapabilities[c] {
			// An older kernel returns EINVAL for an unknown capability.
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL {
				return fmt.Errorf("drop capability %d: %w", c, err)
			}
		}
	}
	if !o.OneUser {
		if err := switchTo(account, o.Groups); err != nil {
			return fmt.Errorf("user %q: %w", o.User, err)
		}
	}
	// Changing the user cleared the signal; see PR_SET_PDEATHSIG(2const).
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("set parent death signal: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	return nil
}

// identity looks up the user in the container's /etc/passwd and /etc/group.
func (o *order) identity() (*user.ExecUser, error) {
	passwd, group := accounts("/etc/passwd"), accounts("/etc/group")
	account, err := user.GetExecUser(o.User, &user.ExecUser{Home: "/"}, passwd, group)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", o.User, err)
	}
	return account, nil
}

// accounts returns the content of the file at path, or nil if it is not regular or exceeds 1 MiB.
func accounts(path string) io.Reader {
	const most = 1 << 20
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return bytes.NewReader(data)
}

// switchTo changes the user and groups of this thread. Package syscall would change all threads,
// but only this one survives execve(2).
func switchTo(account *user.ExecUser, more []int64) error {
	ownStreams(account)
	groups := slices.Clone(account.Sgids)
	for _, g := range more {
		groups = append(groups, int(g))
	}
	if err := unix.Setgroups(groups); err != nil { // this changes only this thread
		return fmt.Errorf("set groups: %w", err)
	}
	gid, uid := uintptr(account.Gid), uintptr(account.Uid)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return fmt.Errorf("set group %d: %w", gid, errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return fmt.Errorf("set user %d: %w", uid, errno)
	}
	return nil
}

// ownStreams lets the user reopen /dev/stdout and /dev/stderr, where images redirect log files.
func ownStreams(account *user.ExecUser) {
	for fd := range 3 {
		var s unix.Stat_t
		if unix.Fstat(fd, &s) != nil {
			continue
		}
		if isTTY := s.Mode&unix.S_IFMT == unix.S_IFCHR && unix.Major(s.Rdev) != memoryDevices; isTTY || s.Mode&unix.S_IFMT == unix.S_IFIFO {
			_ = unix.Fchown(fd, account.Uid, int(s.Gid)) // best effort, because few programs need it
		}
	}
}

// memoryDevices is the major number of /dev/null and similar devices.
const memoryDevices = 1

// process is a child process. Its pidfd is in Go's poller, so that waiting needs no thread.
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
		_ = syscall.Kill(pid, syscall.SIGKILL) // only this code waits for the child, so the PID is still valid
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		_ = unix.Close(pidfd) // unused
		return nil, err
	}
	return &process{pid, os.NewFile(uintptr(pidfd), "process")}, nil
}

// wait waits until the process has ended. Call it only once.
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

// signal sends a signal. If the process has ended, it does nothing and returns nil.
func (p *process) signal(s syscall.Signal) error {
	var err error // stays nil after wait
	p.use(func(fd int) { err = unix.PidfdSendSignal(fd, s, nil, 0) })
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// use calls f with the pidfd. It returns false, without a call, after wait.
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

// pipes has both ends of the standard streams. An unused stream is /dev/null.
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

// drainTimeout limits reads after a process ends, because another process can keep its output open.
const drainTimeout = time.Second

// readChunks calls f with each chunk. It stops at the end, or drainTimeout after ended closes.
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
		if err != nil { // at the end of a terminal, it is EIO
			return
		}
	}
}

func closeAll(files [3]*os.File) {
	for _, f := range files {
		_ = f.Close() // fails for nil and closed files; closing a pipe loses no data
	}
}
