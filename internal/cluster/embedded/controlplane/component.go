package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	// minDelay and maxDelay bound the backoff before a restart, which doubles each time.
	minDelay = 200 * time.Millisecond
	maxDelay = 10 * time.Second
	// stableAfter is how long a component must run until its backoff is reset.
	stableAfter = 15 * time.Second
	// gcPercent is GOGC. It is below the default because memory is scarce on a laptop, and the live
	// heap is less than half of a component's memory.
	gcPercent = "70"
)

// component is a program of the control plane.
type component struct {
	name      string
	arguments []string
	// memoryLimit is GOMEMLIMIT, a soft limit. It is far above what labs need: near the limit, with
	// tens of thousands of objects, a component would spend its time on garbage collection
	// (docs/scale.md).
	memoryLimit string
	// hadData means that the component reads data of an earlier run.
	hadData bool
	// fatalMessage returns the reason for an exit if the log line contains it.
	fatalMessage func(line string) (text string, found bool)
}

// DamagedError means that a component cannot read the data of an earlier run.
type DamagedError struct{ Program, Reason string }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("damaged data: %s: %s", e.Program, e.Reason)
}

// supervise runs a component until ctx ends, and restarts it when it exits. If the first start ends
// before stableAfter, the control plane has failed.
func (p *ControlPlane) supervise(ctx context.Context, c component) {
	log := filepath.Join(LogDir(p.config.Dir), c.name+".log")
	if err := os.Rename(log, strings.TrimSuffix(log, ".log")+".previous.log"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.config.Log("log of %s: %v", c.name, err)
	}
	delay := minDelay
	for first := true; ; first = false {
		started, logSize := time.Now(), sizeOf(log)
		err := p.run(ctx, c, log)
		if ctx.Err() != nil {
			return
		}
		reason := exitReason(c, log, logSize, err)
		stable := time.Since(started) > stableAfter
		if first && !stable {
			p.fail(c, reason)
			return
		}
		if stable {
			delay = minDelay
		}
		p.config.Log("%s exited (%s); restarting in %v", c.name, reason, delay)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
		delay = min(2*delay, maxDelay)
	}
}

func (p *ControlPlane) fail(c component, reason string) {
	err := fmt.Errorf("%s exited: %s", c.name, reason)
	if c.hadData {
		err = &DamagedError{c.name, reason}
	}
	p.config.Log("%v", err)
	select {
	case p.failed <- err:
	default: // only the first failure matters
	}
}

// run runs a component once.
func (p *ControlPlane) run(ctx context.Context, c component, log string) error {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }() // the child has its own copy
	cmd := exec.CommandContext(ctx, filepath.Join(p.config.Binaries.Dir, c.name), c.arguments...)
	// Do not pass on the user's environment: its proxy and Go settings would affect the cluster.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.config.Dir, "TMPDIR=" + os.TempDir(),
		"GOGC=" + gcPercent, "GOMEMLIMIT=" + c.memoryLimit,
	}
	cmd.Dir = p.config.Dir
	cmd.Stdout, cmd.Stderr = out, out
	return cmd.Run()
}

// sizeOf returns the size of a file, or 0 if it does not exist.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// exitReason returns the first fatal message in a component's log after offset, or err.
func exitReason(c component, log string, offset int64, err error) string {
	text, readErr := os.ReadFile(log)
	if readErr == nil {
		for line := range strings.Lines(string(text[min(offset, int64(len(text))):])) {
			if reason, found := c.fatalMessage(strings.TrimSpace(line)); found {
				return reason
			}
		}
	}
	if err == nil {
		return "no error message"
	}
	return err.Error()
}

// badVerb matches fmt's output for %w outside fmt.Errorf, which etcd prints for a damaged database.
var badVerb = regexp.MustCompile(`%!w\([^=]*=&\{(.*?)\}\)`)

// etcdFatalMessage reads a line of etcd's log: JSON, or the output of a Go panic.
func etcdFatalMessage(line string) (text string, found bool) {
	var entry struct{ Level, Msg, Error string }
	if json.Unmarshal([]byte(line), &entry) != nil {
		text, found = goFatalMessage(line)
		return badVerb.ReplaceAllString(text, "$1"), found
	}
	if entry.Level != "panic" && entry.Level != "fatal" {
		return "", false
	}
	if entry.Error != "" {
		entry.Msg += ": " + entry.Error
	}
	return badVerb.ReplaceAllString(entry.Msg, "$1"), true
}

// kubernetesFatalMessage reads a line of a Kubernetes component's log: a fatal klog line (F), or
// the error of the command line.
func kubernetesFatalMessage(line string) (text string, found bool) {
	if strings.HasPrefix(line, "F") || strings.HasPrefix(line, "E") && strings.Contains(line, "command failed") {
		if _, rest, ok := strings.Cut(line, "] "); ok {
			return rest, true
		}
	}
	return goFatalMessage(line)
}

// goFatalMessage reads the output of a Go program that ends with an error or a panic.
func goFatalMessage(line string) (text string, found bool) {
	for _, prefix := range []string{"panic: ", "fatal error: ", "Error: ", "error: "} {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return rest, true
		}
	}
	return "", false
}
