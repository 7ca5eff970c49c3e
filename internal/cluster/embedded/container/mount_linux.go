package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// detached is a mount that is not attached yet; see open_tree(2) and fsmount(2).
type detached struct {
	fd     int
	target string
	dir    bool
}

// attach mounts it on its target, which it creates if needed.
func (d detached) attach() error {
	err := d.makeTarget()
	if err == nil {
		const flags = unix.MOVE_MOUNT_F_EMPTY_PATH | unix.MOVE_MOUNT_T_SYMLINKS
		err = unix.MoveMount(d.fd, "", unix.AT_FDCWD, d.target, flags)
	}
	_ = unix.Close(d.fd) // no longer needed
	if err != nil {
		return fmt.Errorf("mount on %s: %w", d.target, err)
	}
	return nil
}

func (d detached) makeTarget() error {
	if d.dir {
		return os.MkdirAll(d.target, 0o755) //nolint:gosec // the usual mode in images
	}
	if err := os.MkdirAll(filepath.Dir(d.target), 0o755); err != nil { //nolint:gosec // the usual mode in images
		return err
	}
	// Do not open an existing target: it could be a device. A dangling symbolic link is followed.
	if _, err := os.Stat(d.target); err == nil {
		return nil
	}
	f, err := os.OpenFile(d.target, os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // the usual mode in images
	if err != nil {
		return err
	}
	return f.Close()
}

// system is a kernel file system.
type system struct {
	kind, target string
	attributes   int
	options      map[string]string
	optional     bool // skip it if the kernel does not support or allow it
}

// systemMounts creates the file systems of every container. It runs before pivot_root(2): in a user
// namespace, a new /proc or /sys requires a fully visible old one.
func (o *order) systemMounts() ([]detached, error) {
	const quiet = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	pts := map[string]string{"mode": "0620", "ptmxmode": "0666"}
	if !o.OneUser {
		pts["gid"] = "5" // group tty in all distributions
	}
	list := []system{
		{kind: "proc", target: "/proc", attributes: quiet},
		{kind: "sysfs", target: "/sys", attributes: quiet | unix.MOUNT_ATTR_RDONLY, optional: true},
		{kind: "tmpfs", target: "/dev", attributes: unix.MOUNT_ATTR_NOSUID, options: map[string]string{"mode": "755", "size": "64k"}},
		{kind: "devpts", target: "/dev/pts", attributes: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC, options: pts},
		{kind: "tmpfs", target: "/dev/shm", attributes: quiet, options: map[string]string{"mode": "1777", "size": "64m"}},
		{kind: "mqueue", target: "/dev/mqueue", attributes: quiet, optional: true},
	}
	var mounts []detached
	for _, s := range list {
		fd, err := s.open()
		if err != nil && s.optional {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("mount %s: %w", s.target, err)
		}
		mounts = append(mounts, detached{fd: fd, target: s.target, dir: true})
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		fd, err := unix.OpenTree(unix.AT_FDCWD, "/dev/"+name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return nil, fmt.Errorf("device /dev/%s: %w", name, err)
		}
		mounts = append(mounts, detached{fd: fd, target: "/dev/" + name})
	}
	return mounts, nil
}

func (s system) open() (fd int, err error) {
	f, err := unix.Fsopen(s.kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(f) }() // no longer needed
	for key, value := range s.options {
		if err := unix.FsconfigSetString(f, key, value); err != nil {
			return -1, fmt.Errorf("option %s=%s: %w", key, value, err)
		}
	}
	if err := unix.FsconfigCreate(f); err != nil {
		return -1, err
	}
	return unix.Fsmount(f, unix.FSMOUNT_CLOEXEC, s.attributes)
}

// bindMounts opens the host files and directories of a container's mounts.
func bindMounts(list []Mount) ([]detached, error) {
	var mounts []detached
	for _, m := range list {
		d, err := bindMount(m)
		if err != nil {
			return nil, fmt.Errorf("mount %s on %s: %w", m.Source, m.Target, err)
		}
		d.target = filepath.Join("/", m.Target)
		mounts = append(mounts, d)
	}
	return mounts, nil
}

func bindMount(m Mount) (detached, error) {
	if m.Within == "" {
		return clone(unix.AT_FDCWD, m.Source, m.ReadOnly)
	}
	rel, err := filepath.Rel(m.Within, m.Source)
	if err != nil {
		return detached{}, err
	}
	top, err := unix.Open(m.Within, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return detached{}, err
	}
	defer func() { _ = unix.Close(top) }() // O_PATH
	inside, err := unix.Openat2(top, rel, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	})
	if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ELOOP) { // a link leads out; see openat2(2)
		return detached{}, errors.New("the path leaves its volume")
	}
	if err != nil {
		return detached{}, err
	}
	defer func() { _ = unix.Close(inside) }() // no longer needed
	return clone(inside, "", m.ReadOnly)
}

// clone opens a bind mount of a file or directory with the mounts below it, because a user
// namespace cannot see under a mount.
// It adds read-only if requested; nosuid, nodev, and noexec stay, because a user namespace cannot
// clear them.
// source is relative to the directory at; empty selects at.
func clone(at int, source string, readOnly bool) (detached, error) {
	const recursive = unix.AT_RECURSIVE
	fd, err := unix.OpenTree(at, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|recursive)
	if err != nil {
		return detached{}, err
	}
	var s unix.Stat_t
	err = unix.Fstat(fd, &s)
	if err == nil && readOnly {
		err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|recursive, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	}
	if err != nil {
		_ = unix.Close(fd) // unused
		return detached{}, err
	}
	return detached{fd: fd, dir: s.Mode&unix.S_IFMT == unix.S_IFDIR}, nil
}

// protectProc hides machine settings in /proc, because a container's root can be the machine's.
func protectProc() error {
	for _, path := range []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"} {
		d, err := clone(unix.AT_FDCWD, path, true)
		if errors.Is(err, fs.ErrNotExist) {
			continue // not in this kernel
		}
		if err == nil {
			d.target = path
			err = d.attach()
		}
		if err != nil {
			return fmt.Errorf("make %s read-only: %w", path, err)
		}
	}
	for _, path := range []string{"/proc/kcore", "/proc/keys", "/proc/timer_list"} {
		if _, err := os.Lstat(path); err != nil {
			continue
		}
		d, err := clone(unix.AT_FDCWD, "/dev/null", false)
		if err == nil {
			d.target = path
			err = d.attach()
		}
		if err != nil {
			return fmt.Errorf("hide %s: %w", path, err)
		}
	}
	return nil
}
