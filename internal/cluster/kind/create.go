package kind

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// createError says that kind failed, with what the failing command said.
type createError struct {
	reason string
	// log is the whole of what kind said.
	log string
}

func (e *createError) Error() string { return e.reason }

// createInChild runs kind in a child process. When ctx ends, the child and all
// that it started are killed before the function returns, so that nobody
// creates anything any more.
func createInChild(ctx context.Context, executable string, req request, progress cluster.Progress) error {
	line, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("start kind: %w", err)
	}
	// Not CommandContext: it would kill the child alone, and the whole group has to go.
	cmd := exec.Command(executable, ChildCommand) //nolint:noctx // see above
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start kind: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start kind: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start kind: %w", err)
	}
	stop := context.AfterFunc(ctx, func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // gone already is as good
	})
	defer stop()
	// A child that cannot be written to has died; its end says why.
	_, _ = stdin.Write(append(line, '\n'))
	failure := follow(stdout, progress)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case failure.reason != "":
		return failure
	case err != nil:
		failure.reason = fmt.Sprintf("kind ended: %v: %s", err, firstLine(stderr.String()))
		failure.log += stderr.String()
		return failure
	}
	return nil
}

// follow reads what the child tells until it ends, and turns it into progress.
// The result has no reason if the child told of no failure.
func follow(stdout io.Reader, progress cluster.Progress) *createError {
	failure := &createError{}
	steps := kindSteps{progress: progress}
	in := bufio.NewScanner(stdout)
	in.Buffer(nil, 16<<20) // the output of a failed kubeadm is one event
	for in.Scan() {
		var e event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			failure.log += in.Text() + "\n"
			continue
		}
		if e.Error != "" {
			failure.reason = reasonOf(e)
			failure.log += e.Error + "\n" + e.Output + "\n"
			continue
		}
		failure.log += strings.TrimRight(e.Log, "\n") + "\n"
		steps.hear(e.Log)
	}
	steps.end(false) // kind ends its steps itself, unless it was killed
	return failure
}

// reasonOf makes one line of a failure. Of a command's output it is the last
// line that speaks of an error; kubeadm prints a stack trace after it.
func reasonOf(e event) string {
	reason := firstLine(e.Error)
	said := lines(strings.TrimSpace(e.Output))
	if len(said) == 0 {
		return reason
	}
	// The command itself, a screen full of docker run, is in the log.
	if before, _, found := strings.Cut(reason, ": command \""); found {
		reason = before
	}
	word := said[len(said)-1]
	for _, line := range said {
		if strings.Contains(strings.ToLower(line), "error") && !strings.HasPrefix(line, "\t") {
			word = line
		}
	}
	return reason + ": " + strings.TrimSpace(word)
}

// kindSteps turns kind's log into steps of ours. kind marks the beginning and
// the end of a step with a bullet, a tick or a cross; whatever is unlike that
// is for the log alone.
type kindSteps struct {
	progress cluster.Progress
	done     func(error)
}

var errStep = errors.New("failed")

func (s *kindSteps) hear(line string) {
	line = strings.TrimSpace(line)
	mark, text, _ := strings.Cut(line, " ")
	switch mark {
	case "•":
		s.end(true)
		s.done = s.progress.Step(plain(text))
	case "✓":
		s.end(true)
	case "✗":
		s.end(false)
	}
}

func (s *kindSteps) end(ok bool) {
	if s.done == nil {
		return
	}
	if ok {
		s.done(nil)
	} else {
		s.done(errStep)
	}
	s.done = nil
}

// plain removes the pictures and dots that kind decorates its steps with.
func plain(text string) string {
	ascii := strings.Map(func(r rune) rune {
		if r > 127 {
			return -1
		}
		return r
	}, text)
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(ascii), "..."))
}
