package container

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// detached is a mount that is not attached yet; see open_tree(2) and fsmount(2).
type detached struct {
	fd     int
	target string
	dir    bool
}

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
	// Do not open an existing target, because it could be a device. Follow a dangling symbolic link.
	if _, err := os.Stat(d.target); err == nil {
		return nil
	}
	f, err := os.OpenFile(d.target, os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // the usual mode in images
	if err != nil {
		return err
	}
	return f.Close()
}

type system struct {
	kind, target string
	attributes   int
	options      map[string]string
	optional     bool // skip it if the kernel does not support or allow it
}

// systemMounts creates the file systems that every container has. It must run before pivot_root(2):
// in a user namespace, a new /proc or /sys requires that the old one is fully visible.
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

// clone opens a bind mount of a file or directory. It includes the mounts below it, because a user
// namespace cannot see under a mount. It adds read-only if requested, and keeps nosuid, nodev, and
// noexec, because a user namespace cannot clear them. source is relative to the directory at. If
// source is empty, clone opens at.
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

// protectProc hides the machine's settings in /proc. A container's root can be the machine's root.
func protectProc() error {
	readOnly := []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	for _, path := range append(readOnly, "/proc/kcore", "/proc/keys", "/proc/timer_list") {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue // not in this kernel
		}
		source := "/dev/null"
		if slices.Contains(readOnly, path) {
			source = path
		}
		d, err := clone(unix.AT_FDCWD, source, source == path)
		if err == nil {
			d.target = path
			err = d.attach()
		}
		if err != nil {
			return fmt.Errorf("protect %s: %w", path, err)
		}
	}
	return nil
}

// Subdirectories of a container's directory.
const (
	rootDir   = "root"   // the mount point of its root directory
	upperDir  = "upper"  // the files that the container changes
	workDir   = "work"   // for overlayfs
	memoryDir = "memory" // a tmpfs for the changes if upperDir cannot have them
)

// mountRoot mounts the layers below a writable layer
// (https://docs.kernel.org/filesystems/overlayfs.html). It tries an overlay in the container's
// directory, then one in memory (because an overlay cannot be on another), and then a copy.
func (o *order) mountRoot(root string) error {
	onDisk := func(root string) error { return o.mountOverlay(root, o.Dir) }
	var failed error
	for _, mount := range []func(string) error{onDisk, o.mountInMemory, o.mountCopy} {
		err := mount(root)
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

const rootFlags = unix.MS_NOSUID | unix.MS_NODEV

func (o *order) mountOverlay(root, dir string) error {
	for _, d := range []string{upperDir, workDir} {
		// The root directory has the mode of the upper directory.
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil { //nolint:gosec // the usual mode in images
			return err
		}
	}
	var lower []string
	for _, l := range slices.Backward(o.Layers) {
		lower = append(lower, escape.Replace(l))
	}
	options := "lowerdir=" + strings.Join(lower, ":") +
		",upperdir=" + escape.Replace(filepath.Join(dir, upperDir)) +
		",workdir=" + escape.Replace(filepath.Join(dir, workDir)) +
		",volatile" // do not sync, because the data ends with the container
	if o.Nested {
		options += ",userxattr"
	}
	if len(options) >= os.Getpagesize() {
		return fmt.Errorf("overlay: the mount options are %d bytes long, but the kernel's limit is one memory page", len(options))
	}
	if err := unix.Mount("overlay", root, "overlay", rootFlags, options); err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	return nil
}

var escape = strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`)

// mountInMemory mounts an overlay on a tmpfs in the container's directory.
func (o *order) mountInMemory(root string) error {
	memory := filepath.Join(o.Dir, memoryDir)
	if err := os.MkdirAll(memory, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", memory, "tmpfs", rootFlags, "mode=755"); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	return o.mountOverlay(root, memory)
}

func (o *order) mountCopy(root string) error {
	for _, l := range o.Layers {
		if err := copyTree(l, root); err != nil {
			return fmt.Errorf("copy: %w", err)
		}
	}
	return unix.Mount(root, root, "", unix.MS_BIND, "")
}

// copyTree copies directories, files, and symbolic links. It replaces files of another type.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return copyEntry(path, filepath.Join(to, rel), info)
	})
}

func copyEntry(from, to string, info fs.FileInfo) error {
	if there, err := os.Lstat(to); err == nil && (!there.IsDir() || !info.IsDir()) {
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
	switch {
	case info.IsDir():
		if err := os.Mkdir(to, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return errors.Join(os.Symlink(link, to), sameOwner(to, info))
	default:
		if err := copyFile(from, to); err != nil {
			return err
		}
	}
	return errors.Join(sameOwner(to, info), os.Chmod(to, info.Mode().Perm()|info.Mode()&fs.ModeSticky))
}

func copyFile(from, to string) error {
	in, err := os.Open(filepath.Clean(from))
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read only
	out, err := os.OpenFile(filepath.Clean(to), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in) // uses copy_file_range(2)
	return errors.Join(err, out.Close())
}

func sameOwner(path string, info fs.FileInfo) error {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, int(s.Uid), int(s.Gid))
}
