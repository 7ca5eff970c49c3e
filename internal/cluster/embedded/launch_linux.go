package embedded

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/network"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
)

// checkMachine returns an error if this user cannot create embedded clusters on this machine.
func checkMachine() error { return network.Check() }

// lifetimePipe stops the supervisor if this process exits before the cluster is kept.
type lifetimePipe struct {
	process process
	// stdin is the pipe. If it closes before supervisor.Keep is written, the supervisor exits.
	stdin  *os.File
	stdout *os.File // the supervisor's events
	// reaped is closed when the supervisor has exited and this process has collected its status.
	reaped chan struct{}
}

// damagedError means that the supervisor cannot read the cluster's data.
type damagedError struct{ why string }

func (e *damagedError) Error() string { return e.why }

// launch starts a supervisor in its own namespaces.
func launch(req supervisor.Request, l *listeners) (_ *lifetimePipe, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start the supervisor: %w", err)
		}
	}()
	if req.Executable == "" {
		if req.Executable, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	line, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	pipe, err := startProcess(req, l)
	if err != nil {
		return nil, err
	}
	if pipe.process, err = identify(pipe.process.PID); err == nil {
		_, err = pipe.stdin.Write(append(line, '\n'))
	}
	if err != nil {
		pipe.close() // this makes the supervisor exit
		return nil, err
	}
	return pipe, nil
}

func startProcess(req supervisor.Request, l *listeners) (_ *lifetimePipe, err error) {
	var inherited []*os.File
	pipe := &lifetimePipe{reaped: make(chan struct{})}
	defer func() {
		for _, f := range inherited {
			_ = f.Close() // the child has its own copy
		}
		if err != nil {
			pipe.close()
		}
	}()
	log, err := openLog(req.Dir)
	if err != nil {
		return nil, err
	}
	inherited = append(inherited, log)
	stdin, stdinWriter, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	inherited, pipe.stdin = append(inherited, stdin), stdinWriter
	stdoutReader, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	inherited, pipe.stdout = append(inherited, stdout), stdoutReader
	cmd := exec.Command(req.Executable, supervisor.ChildCommand) //nolint:noctx // the supervisor outlives every context
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, log
	cmd.Dir = req.Dir
	cmd.SysProcAttr = network.Attributes()
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNS
	cmd.SysProcAttr.Setsid = true // in its own session, the cluster does not get Ctrl-C from the terminal
	for _, listener := range l.all() {
		f, err := listener.(*net.TCPListener).File()
		if err != nil {
			return nil, err
		}
		inherited = append(inherited, f)
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	pipe.process.PID = cmd.Process.Pid
	go func() {
		_ = cmd.Wait() // its last event has the reason
		close(pipe.reaped)
	}()
	return pipe, nil
}

func openLog(dir string) (*os.File, error) {
	logs := controlplane.LogDir(dir)
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(logs, "supervisor.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// follow reports the supervisor's events until the cluster is Ready or failed, or ctx ends.
func (l *lifetimePipe) follow(ctx context.Context, progress cluster.Progress) error {
	finished := make(chan error, 1)
	go func() { finished <- l.readEvents(progress) }()
	select {
	case err := <-finished:
		return err
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), l.kill(ctx))
	}
}

func (l *lifetimePipe) readEvents(progress cluster.Progress) error {
	done := func(error) {}
	in := bufio.NewScanner(l.stdout)
	for in.Scan() {
		var e supervisor.Event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			continue
		}
		switch {
		case e.Ready:
			done(nil)
			return nil
		case e.Error != "":
			err := errors.New(e.Error)
			done(err)
			if e.Damaged {
				return &damagedError{e.Error}
			}
			return err
		case e.Step != "":
			done(nil)
			done = progress.Step(e.Step)
		}
	}
	err := errors.New("the supervisor was killed")
	done(err)
	return err
}

// release lets the supervisor outlive this process.
func (l *lifetimePipe) release() error {
	defer l.close()
	_, err := l.stdin.WriteString(supervisor.Keep)
	return err
}

func (l *lifetimePipe) close() {
	_ = l.stdin.Close()
	_ = l.stdout.Close()
}

// kill ends the supervisor, even if ctx has ended.
func (l *lifetimePipe) kill(ctx context.Context) error {
	defer l.close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := l.process.end(ctx); err != nil {
		return fmt.Errorf("stop the supervisor: %w", err)
	}
	select {
	case <-l.reaped:
	case <-ctx.Done():
	}
	return nil
}

// process identifies a process of this machine, even after the kernel gives its PID to another one.
type process struct {
	PID int `json:"pid"`
	// Started is the start time in clock ticks since boot (proc_pid_stat(5)).
	Started uint64 `json:"started"`
	// Boot identifies the boot of the machine.
	Boot string `json:"boot"`
}

// endPoll is the interval between checks whether a killed process has ended.
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
	// Field 2 is a name in parentheses with any characters. Field 3 is the state, 22 the start time.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("process %d: /proc has no start time", pid)
	}
	started, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return started, fields[0][0], err
}

// runs reports whether the process still runs. A zombie does not run.
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
