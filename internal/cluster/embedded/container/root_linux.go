package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Directories in a container's own directory.
const (
	rootDir  = "root"  // where its root directory is mounted
	upperDir = "upper" // what it changes
	workDir  = "work"  // for the kernel
	// memoryDir is where its changes are, where they cannot be in upperDir.
	memoryDir = "memory"
)

// mountRoot mounts the layers, and above them a layer that can be written to: an overlay
// (https://docs.kernel.org/filesystems/overlayfs.html), else, where the container's own directory cannot be part of one
// (it is on an overlay itself, say), one that keeps changes in memory, else a copy.
func (o *order) mountRoot(root string) error {
	first := o.mountOverlay(root, o.Dir)
	if first == nil {
		return nil
	}
	second := o.mountInMemory(root)
	if second == nil {
		return nil
	}
	if err := o.mountCopy(root); err != nil {
		return errors.Join(first, second, err)
	}
	return nil
}

const rootFlags = unix.MS_NOSUID | unix.MS_NODEV

func (o *order) mountOverlay(root, dir string) error {
	for _, d := range []string{upperDir, workDir} {
		// The mode of the upper one is that of the root directory.
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil { //nolint:gosec // as images have them
			return err
		}
	}
	var lower []string
	for i := len(o.Layers) - 1; i >= 0; i-- {
		lower = append(lower, escape.Replace(o.Layers[i]))
	}
	options := "lowerdir=" + strings.Join(lower, ":") +
		",upperdir=" + escape.Replace(filepath.Join(dir, upperDir)) +
		",workdir=" + escape.Replace(filepath.Join(dir, workDir)) +
		",volatile" // nothing in it outlives the container, so nothing needs to reach a disk
	if o.Nested {
		options += ",userxattr"
	}
	if len(options) >= os.Getpagesize() {
		return fmt.Errorf("overlay: %d bytes of options are too many", len(options))
	}
	if err := unix.Mount("overlay", root, "overlay", rootFlags, options); err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	return nil
}

// escape keeps what separates options from doing so inside of paths.
var escape = strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`)

// mountInMemory mounts an overlay over its own memory. The memory is mounted below the container's directory, and goes out
// of sight with everything else outside.
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

// mountCopy copies the layers, and mounts the copy.
func (o *order) mountCopy(root string) error {
	for _, l := range o.Layers {
		if err := copyTree(l, root); err != nil {
			return fmt.Errorf("copy: %w", err)
		}
	}
	return unix.Mount(root, root, "", unix.MS_BIND, "")
}
