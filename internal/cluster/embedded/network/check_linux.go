package network

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// missingProgram is the path of a program that does not exist.
const missingProgram = "/proc/self/no/such/program"

// Check reports whether this user can create the namespaces of an embedded cluster on this machine.
// It tries to start a child process in new namespaces. The error contains the attempt, the kernel's
// error, the sysctl that forbids the namespaces, and the fix.
func Check() error {
	attributes := Attributes()
	// The child unshares the mount namespace in a second step, and changes a mount. This step fails if
	// a security module removes the capabilities in a new user namespace (AppArmor on Ubuntu).
	attributes.Unshareflags = syscall.CLONE_NEWNS
	attributes.Pdeathsig = syscall.SIGKILL
	child, err := os.StartProcess(missingProgram, []string{missingProgram}, &os.ProcAttr{Dir: "/", Sys: attributes})
	if err == nil { // the program exists, against all expectations
		_, err = child.Wait()
		return err
	}
	if errors.Is(err, syscall.ENOENT) { // the kernel created the namespaces and then searched for the program
		return nil
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok { // omit the name of the program
		err = errno
	}
	return refusal(os.Geteuid(), err, readSysctl)
}

// Attributes returns the namespaces of a cluster, except for the mount namespace. Root does not
// need a user namespace, and without a user namespace, containers can run as different users.
func Attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	if uid := os.Geteuid(); uid != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return a
}

// limit is a sysctl that can forbid namespaces.
type limit struct {
	name    string
	forbids string // the value that forbids namespaces
	allow   string // a value that allows namespaces
	root    bool   // whether the sysctl also applies to root
}

var limits = []limit{
	{name: "kernel.unprivileged_userns_clone", forbids: "0", allow: "1"},             // Debian and its derivatives
	{name: "kernel.apparmor_restrict_unprivileged_userns", forbids: "1", allow: "0"}, // Ubuntu since 23.10
	{name: "user.max_user_namespaces", forbids: "0", allow: "15000"},                 // Red Hat; namespaces(7)
	{name: "user.max_net_namespaces", forbids: "0", allow: "15000", root: true},
	{name: "user.max_mnt_namespaces", forbids: "0", allow: "15000", root: true},
	{name: "user.max_pid_namespaces", forbids: "0", allow: "15000", root: true},
	{name: "user.max_uts_namespaces", forbids: "0", allow: "15000", root: true},
	{name: "user.max_ipc_namespaces", forbids: "0", allow: "15000", root: true},
}

// refusal returns an error that explains why the user uid got the error cause.
func refusal(uid int, cause error, read func(name string) (string, bool)) error {
	tried, otherwise := "network, PID and mount namespaces", "this is probably a container without CAP_SYS_ADMIN; "+
		"run ingresslab outside it, or in a privileged container"
	if uid != 0 {
		tried = "a user namespace with " + tried
		otherwise = "a security module or a container might forbid it; try again as root (sudo)"
	}
	var reasons []string
	for _, l := range limits {
		if uid == 0 && !l.root {
			continue
		}
		if value, ok := read(l.name); ok && value == l.forbids {
			reasons = append(reasons, fmt.Sprintf("%s is %s; run `sudo sysctl -w %s=%s` to allow it until the next reboot",
				l.name, value, l.name, l.allow))
		}
	}
	advice := otherwise
	if len(reasons) > 0 {
		advice = strings.Join(reasons, "; ")
		if uid != 0 {
			advice += "; or run ingresslab as root (sudo)"
		}
	} else if errors.Is(cause, syscall.ENOSPC) || errors.Is(cause, syscall.EUSERS) {
		advice = "a limit on their number or depth was reached; see user.max_*_namespaces in /proc/sys and namespaces(7)"
	}
	return fmt.Errorf("cannot create %s as user %d: %w: %s", tried, uid, cause, advice)
}

// readSysctl returns the value of a sysctl, and reports whether the kernel has it. name has dots.
func readSysctl(name string) (string, bool) {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	return strings.TrimSpace(string(b)), err == nil
}

// explain adds the fix to an error from creating the namespace or interface of a node or pod.
func explain(cause error) error {
	switch {
	case errors.Is(cause, syscall.EOPNOTSUPP):
		return fmt.Errorf("%w: the kernel has no veth(4); run `sudo modprobe veth` to load it", cause)
	case errors.Is(cause, syscall.ENOSPC):
		return fmt.Errorf("%w: too many network namespaces; see user.max_net_namespaces in namespaces(7)", cause)
	case errors.Is(cause, syscall.EPERM):
		return fmt.Errorf("%w: the cluster's process needs CAP_SYS_ADMIN and CAP_NET_ADMIN in its user namespace", cause)
	}
	return cause
}
