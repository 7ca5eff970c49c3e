package container

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// build creates the container's environment in new namespaces: the root directory from its image,
// /proc, /dev, /sys, its mounts, and its network.
//
// It opens host files as detached mounts before pivot_root(2) and attaches them afterwards. No
// symbolic link in the image can then lead out of the container.
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

// enterRoot makes root the root mount and detaches the old one; pivot_root(2) explains the dots.
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
		// As in containerd and Docker, any user can listen on port 80. Not all kernels allow this.
		_ = os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
	}
	return protectProc()
}

// finish completes the container after all mounts. It creates a missing working directory.
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
