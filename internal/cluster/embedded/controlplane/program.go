package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// firstDelay and lastDelay bound the wait before a program is started again; it doubles.
	firstDelay = 200 * time.Millisecond
	lastDelay  = 10 * time.Second
	// settled is how long a program has to run to count as one that works.
	settled = 15 * time.Second
	// gcPercent makes Go's collector run more often than by default: with the live heap the smaller half of what a
	// program takes, memory is what a laptop is short of.
	gcPercent = "70"
)

// program is one of the control plane's.
type program struct {
	name      string
	arguments []string
	// limit is when Go's collector starts to work hard (GOMEMLIMIT); it is no hard bound. It is far above what labs need: with
	// tens of thousands of objects a program would do little else than collect (docs/scale.md).
	limit string
	// hadData is true for a program that reads data of an earlier run.
	hadData bool
	// complaint tells whether a line of the log says why the program ended, and how to say it.
	complaint func(line string) (text string, found bool)
}

// DamagedError says that a program could not read the data that an earlier run left.
type DamagedError struct{ Program, Why string }

func (e *DamagedError) Error() string { return fmt.Sprintf("damaged data: %s: %s", e.Program, e.Why) }

// launch runs a program until ctx ends.
func (p *ControlPlane) launch(ctx context.Context, of program) {
	p.running.Go(func() { p.keep(ctx, of) })
}

// keep runs a program and starts it again when it ends. One that ends at its first start, before it can have worked, has
// failed for good.
func (p *ControlPlane) keep(ctx context.Context, of program) {
	log := filepath.Join(LogDir(p.config.Dir), of.name+".log")
	if err := os.Rename(log, strings.TrimSuffix(log, ".log")+".previous.log"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.config.Log("log of %s: %v", of.name, err)
	}
	delay := firstDelay
	for first := true; ; first = false {
		started, said := time.Now(), sizeOf(log)
		err := p.run(ctx, of, log)
		if ctx.Err() != nil {
			return
		}
		why := explain(of, log, said, err)
		worked := time.Since(started) > settled
		if first && !worked {
			p.fail(of, why)
			return
		}
		if worked {
			delay = firstDelay
		}
		p.config.Log("%s ended (%s); it is started again in %v", of.name, why, delay)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
		delay = min(2*delay, lastDelay)
	}
}

func (p *ControlPlane) fail(of program, why string) {
	err := fmt.Errorf("%s ended: %s", of.name, why)
	if of.hadData {
		err = &DamagedError{of.name, why}
	}
	p.config.Log("%v", err)
	select {
	case p.failed <- err:
	default: // who failed first is what matters
	}
}

// run runs a program once.
func (p *ControlPlane) run(ctx context.Context, of program, log string) error {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }() // the program has a copy of its own
	cmd := exec.CommandContext(ctx, filepath.Join(p.config.Binaries.Dir, of.name), of.arguments...)
	// Nothing of the user's environment: a proxy or a setting of Go's would reach into the cluster.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.config.Dir, "TMPDIR=" + os.TempDir(),
		"GOGC=" + gcPercent, "GOMEMLIMIT=" + of.limit,
	}
	cmd.Dir = p.config.Dir
	cmd.Stdout, cmd.Stderr = out, out
	return cmd.Run()
}

// sizeOf is how long a log is; 0 if there is none.
func sizeOf(log string) int64 {
	info, err := os.Stat(log)
	if err != nil {
		return 0
	}
	return info.Size()
}

// explain finds the first line of a program's log, after what was said before, that tells why it ended.
func explain(of program, log string, before int64, err error) string {
	text, readErr := os.ReadFile(log)
	if readErr == nil {
		for line := range strings.Lines(string(text[min(before, int64(len(text))):])) {
			if why, found := of.complaint(strings.TrimSpace(line)); found {
				return why
			}
		}
	}
	if err == nil {
		return "without a word"
	}
	return err.Error()
}
