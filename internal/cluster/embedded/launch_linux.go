package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/controlplane"
	"github.com/ingresslab/ingresslab/internal/cluster/embedded/supervisor"
)

// leash is what ties a supervisor to the program that started it.
type leash struct {
	process process
	// stdin is the leash itself: the supervisor ends when it is closed before Keep was written.
	stdin *os.File
	// stdout is where it tells what it does.
	stdout *os.File
	// reaped is closed when the process has ended and nothing is left of it.
	reaped chan struct{}
}

// damagedError is the failure of a supervisor that could not read its data.
type damagedError struct{ why string }

func (e *damagedError) Error() string { return e.why }

// launch starts a supervisor in namespaces of its own.
func launch(req supervisor.Request, d *doors) (*leash, error) {
	line, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}
	l, err := launchWith(req, d)
	if err != nil {
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}
	if l.process, err = identify(l.process.PID); err == nil {
		_, err = l.stdin.Write(append(line, '\n'))
	}
	if err != nil {
		l.close() // which ends it
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}
	return l, nil
}

func launchWith(req supervisor.Request, d *doors) (_ *leash, err error) {
	var open []*os.File // in the end, the child's
	defer func() {
		for _, f := range open {
			_ = f.Close() // the child has its own
		}
	}()
	log, err := openLog(req.Dir)
	if err != nil {
		return nil, err
	}
	open = append(open, log)
	stdin, leashEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	open = append(open, stdin)
	told, stdout, err := os.Pipe()
	if err != nil {
		_ = leashEnd.Close()
		return nil, err
	}
	open = append(open, stdout)
	l := &leash{stdin: leashEnd, stdout: told, reaped: make(chan struct{})}
	cmd := exec.Command(req.Executable, supervisor.ChildCommand) //nolint:noctx // it outlives every context
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, log
	cmd.Dir = req.Dir
	cmd.SysProcAttr = namespaces()
	for _, listener := range append([]net.Listener{d.api}, d.entries[:]...) {
		f, err := listener.(*net.TCPListener).File()
		if err != nil {
			l.close()
			return nil, err
		}
		open = append(open, f)
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if err := cmd.Start(); err != nil {
		l.close()
		return nil, err
	}
	l.process.PID = cmd.Process.Pid
	go func() {
		_ = cmd.Wait() // how it ended, it has told
		close(l.reaped)
	}()
	return l, nil
}

// namespaces are those of a cluster. Root needs no user namespace, and without one can be other users in containers.
func namespaces() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		// A session of its own: Ctrl-C in the terminal is not for the cluster.
		Setsid: true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
	}
	if uid := os.Geteuid(); uid != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

func openLog(dir string) (*os.File, error) {
	logs := controlplane.LogDir(dir)
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(logs, "supervisor.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// follow turns what the supervisor tells into progress, until the cluster is Ready, or there will be none, or ctx ends.
func (l *leash) follow(ctx context.Context, progress cluster.Progress) error {
	ended := make(chan error, 1)
	go func() { ended <- l.listen(progress) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), l.kill(ctx))
	}
}

func (l *leash) listen(progress cluster.Progress) error {
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

// release lets the supervisor live on.
func (l *leash) release() error {
	defer l.close()
	_, err := l.stdin.WriteString(supervisor.Keep)
	return err
}

func (l *leash) close() {
	_ = l.stdin.Close()
	_ = l.stdout.Close()
}

// kill ends the supervisor, whether or not ctx has ended.
func (l *leash) kill(ctx context.Context) error {
	defer l.close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
	defer cancel()
	if err := l.process.end(ctx); err != nil {
		return fmt.Errorf("end the supervisor: %w", err)
	}
	select {
	case <-l.reaped:
	case <-ctx.Done():
	}
	return nil
}
