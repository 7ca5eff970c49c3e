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

// ownGroup makes the child the leader of a process group, which all it starts belongs to.
func ownGroup(child *exec.Cmd) { child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// stopGroup asks the child's group to end. That none is left is no error.
func stopGroup(child *exec.Cmd) error {
	err := unix.Kill(-child.Process.Pid, unix.SIGTERM)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// killGroup ends what the child left running, whether or not it was asked to stop.
func killGroup(child *exec.Cmd) {
	if child.Process != nil {
		_ = unix.Kill(-child.Process.Pid, unix.SIGKILL) // ESRCH, usually: nothing is left.
	}
}

// freeBytes is what an ordinary user may still write to the file system of path, or of
// the nearest directory above it that exists.
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

// tryLock takes an exclusive lock on the file, which ends with the process at the latest.
// It returns false if another process holds it.
func tryLock(file *os.File) (bool, error) {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // a descriptor fits
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
