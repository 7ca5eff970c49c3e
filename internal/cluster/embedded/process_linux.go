package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process identifies a process of this machine, even after the kernel reuses its PID.
type process struct {
	PID int `json:"pid"`
	// Started is in clock ticks since boot (proc_pid_stat(5)).
	Started uint64 `json:"started"`
	// Boot identifies the boot of the machine.
	Boot string `json:"boot"`
}

// endPoll is the poll interval for a killed process.
const endPoll = 100 * time.Millisecond

// identify returns the process with this PID.
func identify(pid int) (process, error) {
	started, _, err := stat(pid)
	if err != nil {
		return process{PID: pid}, err
	}
	boot, err := bootID()
	return process{PID: pid, Started: started, Boot: boot}, err
}

func bootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text)), err
}

// stat returns the start time of a process and the letter of its state.
func stat(pid int) (started uint64, state byte, err error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, err
	}
	// The second field is a name in parentheses with any characters. The third is the state, the
	// 22nd the time.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("process %d: /proc has no start time", pid)
	}
	started, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return started, fields[0][0], err
}

// runs reports whether the process runs. A zombie does not.
func (p process) runs() bool {
	if p.PID == 0 {
		return false
	}
	boot, err := bootID()
	if err != nil || boot != p.Boot {
		return false
	}
	started, state, err := stat(p.PID)
	return err == nil && started == p.Started && state != 'Z' && state != 'X'
}

// end kills the process if it runs, and waits until it has ended.
func (p process) end(ctx context.Context) error {
	if p.PID == 0 {
		return nil
	}
	// The descriptor refers to this process even if the kernel reuses the PID (pidfd_open(2)).
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("process %d: %w", p.PID, err)
	}
	defer func() { _ = unix.Close(fd) }() // it has no unwritten data
	if !p.runs() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("process %d: %w", p.PID, err)
	}
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(endPoll.Milliseconds()))
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("process %d: %w", p.PID, err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("process %d did not end: %w", p.PID, context.Cause(ctx))
		}
	}
}
