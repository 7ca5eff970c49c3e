package container

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// kept are the capabilities that a container's root has, in the container's own namespaces. It is what Docker leaves, but for
// CAP_MKNOD: there is no cgroup here that says which devices may be used.
var kept = map[uintptr]bool{
	unix.CAP_CHOWN: true, unix.CAP_DAC_OVERRIDE: true, unix.CAP_FSETID: true, unix.CAP_FOWNER: true,
	unix.CAP_NET_RAW: true, unix.CAP_SETGID: true, unix.CAP_SETUID: true, unix.CAP_SETFCAP: true,
	unix.CAP_SETPCAP: true, unix.CAP_NET_BIND_SERVICE: true, unix.CAP_SYS_CHROOT: true, unix.CAP_KILL: true,
	unix.CAP_AUDIT_WRITE: true,
}

// become gives up what a container's program must not have: it changes to its user, and privileges beyond kept are lost when
// the program is executed, for good.
func (o *order) become() error {
	who, err := o.identity()
	if err != nil {
		return err
	}
	o.Env = withHome(o.Env, who.Home)
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if !kept[c] {
			// EINVAL: an older kernel does not have it.
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL {
				return fmt.Errorf("drop capability %d: %w", c, err)
			}
		}
	}
	if !o.OneUser {
		if err := switchTo(who, o.Groups); err != nil {
			return fmt.Errorf("user %q: %w", o.User, err)
		}
	}
	// A change of user has cleared it; see PR_SET_PDEATHSIG(2const).
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("tie to the parent: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	return nil
}

// identity looks the user up in the container's own files.
func (o *order) identity() (*user.ExecUser, error) {
	passwd, group := accounts("/etc/passwd"), accounts("/etc/group")
	who, err := user.GetExecUser(o.User, &user.ExecUser{Home: "/"}, passwd, group)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", o.User, err)
	}
	return who, nil
}

// accounts returns the content of a file if it is there and is one: an image may have anything in its place.
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
	return strings.NewReader(string(data))
}

func withHome(env []string, home string) []string {
	for _, kv := range env {
		if strings.HasPrefix(kv, "HOME=") {
			return env
		}
	}
	return append(env, "HOME="+home)
}

// switchTo changes this thread's user and groups. The functions of package syscall would change those of all threads, of
// which execve(2) is going to leave only this one.
func switchTo(who *user.ExecUser, more []int64) error {
	ownStreams(who)
	groups := make([]uint32, 0, len(who.Sgids)+len(more))
	for _, g := range who.Sgids {
		groups = append(groups, uint32(g))
	}
	for _, g := range more {
		groups = append(groups, uint32(g))
	}
	if err := setgroups(groups); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	gid, uid := uintptr(who.Gid), uintptr(who.Uid)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return fmt.Errorf("set group %d: %w", gid, errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return fmt.Errorf("set user %d: %w", uid, errno)
	}
	return nil
}

// ownStreams lets the user open /dev/stdout and its like again, as logging to files is often redirected in images.
func ownStreams(who *user.ExecUser) {
	for fd := range 3 {
		var s unix.Stat_t
		if unix.Fstat(fd, &s) != nil {
			continue
		}
		if isTTY := s.Mode&unix.S_IFMT == unix.S_IFCHR && unix.Major(s.Rdev) != memoryDevices; isTTY || s.Mode&unix.S_IFMT == unix.S_IFIFO {
			_ = unix.Fchown(fd, who.Uid, int(s.Gid)) // best effort: most programs never do
		}
	}
}

// memoryDevices is the major number of /dev/null and the like, which belong to everybody.
const memoryDevices = 1
