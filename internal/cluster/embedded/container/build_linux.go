package container

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// build makes this process, the first in new namespaces, see a machine of its own: the root directory of its image, the
// file systems of the kernel, the mounts it was given, and a network.
//
// What comes from outside is opened as a detached mount while the outside can still be seen, and attached when it cannot:
// then every path, with all the symbolic links that an image may have on it, ends inside.
func (o *order) build() error {
	if o.OwnNetwork {
		if err := unix.Setns(namespaceFD, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
	}
	// Nothing that is mounted here may show outside.
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
	given, err := givenMounts(o.Mounts)
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
	if err := o.furnish(); err != nil {
		return err
	}
	for _, m := range given {
		if err := m.attach(); err != nil {
			return err
		}
	}
	return o.finish()
}

// enterRoot makes a mount the root of this mount namespace, and lets go of the old one; see pivot_root(2) for the dots.
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

// furnish makes what programs expect beside mounts, and closes what they must not write to.
func (o *order) furnish() error {
	for name, to := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
		"ptmx": "pts/ptmx",
	} {
		if err := os.Symlink(to, "/dev/"+name); err != nil {
			return err
		}
	}
	if err := os.Mkdir("/tmp", 0o777); err == nil {
		if err := os.Chmod("/tmp", os.ModeSticky|0o777); err != nil { //nolint:gosec // that is what /tmp is
			return err
		}
	}
	if o.OwnNetwork {
		// Whoever a program runs as, it may listen on port 80, as with containerd and Docker. A kernel or a namespace that
		// does not let us has programs that say so themselves.
		_ = os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
	}
	return protectProc()
}

// finish does what must come after all mounts. The working directory is made if the image does not have it, as other
// runtimes do.
func (o *order) finish() error {
	if err := os.MkdirAll(o.WorkingDir, 0o755); err != nil { //nolint:gosec // as images have them
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
