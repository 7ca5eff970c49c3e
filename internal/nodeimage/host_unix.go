//go:build unix

package nodeimage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup makes the child the leader of a new process group.
func ownGroup(child *exec.Cmd) { child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// stopGroup sends SIGTERM to the child's process group.
func stopGroup(child *exec.Cmd) error {
	err := unix.Kill(-child.Process.Pid, unix.SIGTERM)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// killGroup sends SIGKILL to the rest of the child's process group.
func killGroup(child *exec.Cmd) {
	if child.Process != nil {
		_ = unix.Kill(-child.Process.Pid, unix.SIGKILL) // usually ESRCH: no process is left
	}
}

// freeBytes returns the free space for ordinary users at path or its nearest existing parent.
func freeBytes(path string) (uint64, error) {
	for {
		var stat unix.Statfs_t
		err := unix.Statfs(path, &stat)
		if err == nil {
			return stat.Bavail * uint64(stat.Bsize), nil //nolint:gosec // a block size is positive
		}
		if parent := filepath.Dir(path); errors.Is(err, unix.ENOENT) && parent != path {
			path = parent
			continue
		}
		return 0, fmt.Errorf("free space of %s: %w", path, err)
	}
}
