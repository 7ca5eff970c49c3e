package network

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// nowhere is a program that does not exist.
const nowhere = "/proc/self/no/such/program"

// Check finds out whether this user may make the namespaces of an embedded cluster on this machine. It changes nothing: a
// child process is made with them, and ends at once. The error says what was tried, what the kernel said, which of its
// settings forbids it, and what to do.
func Check() error {
	attributes := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		// A mount namespace is made in a second step, in which the child also changes a mount: where a security module lets
		// everybody make user namespaces but gives no rights in them (AppArmor on Ubuntu), it fails here.
		Unshareflags: syscall.CLONE_NEWNS,
		Pdeathsig:    syscall.SIGKILL,
	}
	uid := os.Geteuid()
	if uid != 0 {
		attributes.Cloneflags |= syscall.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	child, err := os.StartProcess(nowhere, []string{nowhere}, &os.ProcAttr{Dir: "/", Sys: attributes})
	if err == nil { // somebody has made the program
		_, err = child.Wait()
		return err
	}
	if errors.Is(err, syscall.ENOENT) { // it got as far as looking for the program: everything before was allowed
		return nil
	}
	return refusal(uid, errno(err), readSetting)
}

func errno(err error) error {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no
	}
	return err
}

// limit is a setting of the kernel below /proc/sys that can forbid namespaces.
type limit struct {
	name    string
	forbids string // the value that does
	allow   string // the value that does not
	root    bool   // whether it concerns root, too
}

var limits = []limit{
	{name: "kernel.unprivileged_userns_clone", forbids: "0", allow: "1"},             // Debian and its children
	{name: "kernel.apparmor_restrict_unprivileged_userns", forbids: "1", allow: "0"}, // Ubuntu since 23.10
	{name: "user.max_user_namespaces", forbids: "0", allow: "15000"},                 // Red Hat; namespaces(7)
	{name: "user.max_net_namespaces", forbids: "0", allow: "15000", root: true},
	{name: "user.max_mnt_namespaces", forbids: "0", allow: "15000", root: true},
	{name: "user.max_pid_namespaces", forbids: "0", allow: "15000", root: true},
	{name: "user.max_uts_namespaces", forbids: "0", allow: "15000", root: true},
	{name: "user.max_ipc_namespaces", forbids: "0", allow: "15000", root: true},
}

// refusal explains why user uid got cause when it tried to make namespaces.
func refusal(uid int, cause error, read func(name string) (string, bool)) error {
	tried, otherwise := "network, process and mount namespaces", "it looks as if this is a container without CAP_SYS_ADMIN: "+
		"run it outside, or in a privileged one"
	if uid != 0 {
		tried = "a user namespace with " + tried
		otherwise = "a security module or a container may forbid it: try it as root (sudo)"
	}
	var culprits []string
	for _, l := range limits {
		if uid == 0 && !l.root {
			continue
		}
		if value, ok := read(l.name); ok && value == l.forbids {
			culprits = append(culprits, fmt.Sprintf("%s is %s; `sudo sysctl -w %s=%s` allows it until the next start of the machine",
				l.name, value, l.name, l.allow))
		}
	}
	advice := otherwise
	if len(culprits) > 0 {
		advice = strings.Join(culprits, "; ")
		if uid != 0 {
			advice += "; or run it as root (sudo)"
		}
	} else if errors.Is(cause, syscall.ENOSPC) || errors.Is(cause, syscall.EUSERS) {
		advice = "a limit on their number or depth is reached: see user.max_*_namespaces below /proc/sys, and namespaces(7)"
	}
	return fmt.Errorf("tried to make %s as user %d: %w: %s", tried, uid, cause, advice)
}

// readSetting gives a setting by its name with dots, if the kernel has it.
func readSetting(name string) (string, bool) {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	return strings.TrimSpace(string(b)), err == nil
}

// explain adds what to do to what the kernel says when it makes no namespace or interface for a node or pod.
func explain(cause error) error {
	switch {
	case errors.Is(cause, syscall.EOPNOTSUPP):
		return fmt.Errorf("%w: the kernel has no veth(4); `sudo modprobe veth` loads it", cause)
	case errors.Is(cause, syscall.ENOSPC):
		return fmt.Errorf("%w: too many network namespaces; see user.max_net_namespaces in namespaces(7)", cause)
	case errors.Is(cause, syscall.EPERM):
		return fmt.Errorf("%w: the cluster's process needs CAP_SYS_ADMIN and CAP_NET_ADMIN in its user namespace", cause)
	}
	return cause
}
